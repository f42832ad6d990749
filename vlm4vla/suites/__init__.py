"""Suite files in, episodes out. Imports no simulator."""
