"""One module or folder per simulator."""
