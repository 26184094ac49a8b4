"""Arrays of images of one's own, in a file or in memory."""
