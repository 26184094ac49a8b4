"""Measures of pictures and distributions, per example."""
