"""How values become bytes and values again: one module for each format."""
