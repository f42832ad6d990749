"""The names LIBERO offers to the outside. Imports no simulator: listing it costs nothing."""

from vlm4vla.core.specs import ProprioPart, opening, orientation, position

CAMERAS = {"agentview": "agentview", "eye_in_hand": "robot0_eye_in_hand"}
"""Our name -> MuJoCo's."""

CROPPED = 224
"""Height and width of a picture that was cropped, pixels."""

PROPRIO = (
    position("world"),
    orientation("quat_xyzw", "world"),
    ProprioPart("fingers", 2, "m"),
    ProprioPart("joints", 7, "rad"),
    opening(0.08, unit="m"),
)
"""robosuite's `robot0_eef_pos`, `_eef_quat`, `_gripper_qpos` and `_joint_pos`, and the distance of
the fingers."""
PRIVILEGED = ("tcp", "fingers", "aims")

MAX_STEPS = 525
"""Of the longest episodes: libero_10, settled as VLM4VLA's loop does."""
SETTLING = 10
"""VLM4VLA's loop makes half of them, between the policy's first actions."""

GOALS = "goals"
"""The measure: which share of the goal's conditions holds."""

CARRY, PUSH = 1.0, 2.0
"""What the first number of an aim says is to be done."""
