"""What is prepared, and where it lies."""
