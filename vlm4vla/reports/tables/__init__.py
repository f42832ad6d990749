"""One table, its numbers, and a writer for each format that is text."""
