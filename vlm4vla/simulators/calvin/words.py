"""The names CALVIN offers to the outside. Imports nothing, so that listing it costs nothing."""

STATIC, GRIPPER = "static", "gripper"
STATIC_SIZE, GRIPPER_SIZE = 200, 84
"""Cameras and their height and width, pixels: what published policies were trained on."""

LENGTH = 5
"""Subtasks in a chain."""
STEPS_PER_SUBTASK = 360
MAX_STEPS = LENGTH * STEPS_PER_SUBTASK

PROPRIO = (
    "x m", "y m", "z m", "roll rad", "pitch rad", "yaw rad", "opening m",
    *(f"joint {i} rad" for i in range(1, 8)), "last gripper action",
)  # fmt: skip
"""CALVIN's `robot_obs`."""
PRIVILEGED = ("robot_obs", "scene_obs", "target", "task", "touched", "half_extents")

SOLVED = "solved"
"""The measure that counts the subtasks solved."""
STAGES = tuple(f"{SOLVED}_{count}" for count in range(1, LENGTH + 1))
