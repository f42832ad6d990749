"""How frames, cameras and words become the sequences that a backbone reads, and states again."""
