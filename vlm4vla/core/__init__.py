"""The shared words: specs, episodes, observations, results, errors. Imports nothing of ours."""

__version__ = "0.2.0"
"""Of this package, for whoever may import no more than the shared words."""
