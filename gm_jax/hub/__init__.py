"""Runs as the Hugging Face Hub has models: a folder, its card, and a class of their library."""
