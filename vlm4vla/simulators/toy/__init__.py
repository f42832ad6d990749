"""A world in numpy: the engine's test bench and everybody's first run."""
