"""Sets that need no preparation of the user's."""
