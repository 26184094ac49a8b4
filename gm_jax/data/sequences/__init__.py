"""Sequences of frames: storms, moving digits, weather."""
