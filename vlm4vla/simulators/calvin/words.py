"""The names CALVIN offers to the outside. Imports nothing heavy: listing it costs nothing."""

STATIC, GRIPPER = "static", "gripper"
STATIC_SIZE, GRIPPER_SIZE = 200, 84
"""Cameras and their height and width, pixels: what published policies were trained on."""
