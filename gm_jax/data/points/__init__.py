"""Tables of one's own: rows of numbers as points."""
