"""The names the task offers to the outside. Imports nothing, so that listing it costs nothing."""

CAMERA = "view"
CAMERA_SIZE = 224
"""Pixels: what the paper's policies see."""
MAX_STEPS = 200

PROPRIO = ("x m", "y m", "z m", "roll rad", "pitch rad", "yaw rad", "finger distance / 0.08 m")
PRIVILEGED = (
    "cube", "cards", "target", "tcp", "command", "finger_distance", "grasped", "touched",
    "base", "reach", "grip",
)  # fmt: skip
STAGES = ("reached", "grasped", "lifted", "over_card")
MEASURES = ("picked", "executed", "recognised", "success_paper")
