"""Figures of a model and a state."""
