"""The names the task offers to the outside. Imports no simulator: listing it costs nothing."""

from vlm4vla.core.specs import opening, orientation, position

CAMERA = "view"
CAMERA_SIZE = 224
"""Pixels: what the paper's policies see."""
MAX_STEPS = 200

PROPRIO = (position("world"), orientation("euler_xyz", "world"), opening(1.0))
"""The opening is the distance of the fingers over 0.08 m."""
PAPER_PROPRIO = (PROPRIO[0], orientation("euler_xyz", "misread"), PROPRIO[2])
"""Upstream's angles are those of a quaternion read in the wrong order: in no frame at all."""
PRIVILEGED = (
    "cube", "cards", "target", "tcp", "command", "finger_distance", "grasped", "touched",
    "base", "reach", "grip",
)  # fmt: skip
STAGES = ("reached", "grasped", "lifted", "over_card")
MEASURES = ("picked", "executed", "recognised", "success_paper")
