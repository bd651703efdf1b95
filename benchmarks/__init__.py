"""Measurements of twat-cache, each beside the thing to beat."""
