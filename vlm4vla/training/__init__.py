"""From demonstrations to a checkpoint: recording, reading, training."""
