"""What the Bridge tasks offer to the outside. Imports no simulator: it costs nothing."""

from dataclasses import dataclass

from vlm4vla.core.specs import ProprioPart, opening, orientation, position

CAMERA, WIDTH, HEIGHT = "3rd_view_camera", 640, 480
CONTROL_HZ = 5
MAX_STEPS = 120
"""Of the longest task."""
FINGER_LOW, FINGER_HIGH = 0.015, 0.037
"""Where a finger's own range ends, metres from the middle of the hand."""

PROPRIO = (
    position("base"),
    orientation("quat_wxyz", "base"),
    ProprioPart("joints", 6, "rad"),
    opening(2 * FINGER_HIGH, 2 * FINGER_LOW, "m"),
)
"""Of `ee_gripper_link`; the opening is the distance of the fingers."""
PRIVILEGED = (
    "base", "tcp", "command", "fingers", "source", "target", "source_centre", "target_centre",
    "source_extent", "target_extent", "grasped", "success",
)  # fmt: skip
"""World frame, SI units: poses (7,) of base, hand, commanded hand, actors; finger joints (2,);
centres of mass (3,); bounding boxes (3,) turned as the things settled; the rules' flags (1,)."""
STAGES = (
    "is_src_obj_grasped", "consecutive_grasp", "moved_correct_obj", "moved_wrong_obj",
    "src_on_target",
)  # fmt: skip
"""Upstream's `episode_stats`, by its rule for each: both grasps stay, the rest is as of now."""


@dataclass(frozen=True)
class BridgeOptions:
    """How the tasks can be set up: there is one way."""
