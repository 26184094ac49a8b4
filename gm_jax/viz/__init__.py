"""Pictures: grids and curves."""
