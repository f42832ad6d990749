"""One table, and one writer for each format it is read in."""
