"""Demonstrations as files: what a sample is, a reader for each layout, and the recorder."""
