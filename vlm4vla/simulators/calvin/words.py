"""The names CALVIN offers to the outside. Imports no simulator: listing it costs nothing."""

from vlm4vla.core.specs import Gripper, ProprioPart, opening, orientation, position

STATIC, GRIPPER = "static", "gripper"
STATIC_SIZE, GRIPPER_SIZE = 200, 84
"""Cameras and their height and width, pixels: what published policies were trained on."""

LENGTH = 5
"""Subtasks in a chain."""
STEPS_PER_SUBTASK = 360
MAX_STEPS = LENGTH * STEPS_PER_SUBTASK

PROPRIO = (
    position("world"),
    orientation("euler_xyz", "world"),
    opening(0.08, unit="m"),
    ProprioPart("joints", 7, "rad"),
    ProprioPart("gripper_action", gripper=Gripper(open=1.0, closed=-1.0)),
)
"""CALVIN's `robot_obs`."""
PRIVILEGED = ("robot_obs", "scene_obs", "target", "task", "touched", "half_extents")

SOLVED = "solved"
"""The measure that counts the subtasks solved."""
STAGES = tuple(f"{SOLVED}_{count}" for count in range(1, LENGTH + 1))
