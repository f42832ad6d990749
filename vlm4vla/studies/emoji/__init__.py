"""The emoji task: the small VLA that learns it, and whether a VLM knows the emojis beforehand."""
