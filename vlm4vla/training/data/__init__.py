"""Demonstrations as files: what a sample is, and a reader for each layout."""
