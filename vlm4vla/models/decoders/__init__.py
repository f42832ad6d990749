"""From what a backbone read to actions: each decoder owns its loss, its decoding, its fields."""
