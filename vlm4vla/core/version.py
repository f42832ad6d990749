"""The version of this package, for whoever may import no more than the shared words."""

__version__ = "0.2.0"
