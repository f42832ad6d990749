"""What CALVIN offers to the outside: names and options. Imports no simulator, so costs nothing."""

from dataclasses import dataclass
from typing import Literal

from vlm4vla.core.conventions import LAYOUTS

STATIC, GRIPPER = "static", "gripper"
STATIC_SIZE, GRIPPER_SIZE = 200, 84
"""Cameras and their height and width, pixels: what published policies were trained on."""

LENGTH = 5
"""Subtasks in a chain."""
STEPS_PER_SUBTASK = 360
MAX_STEPS = LENGTH * STEPS_PER_SUBTASK

PROPRIO = LAYOUTS["calvin"]
"""CALVIN's `robot_obs`."""
PRIVILEGED = ("robot_obs", "scene_obs", "target", "task", "touched", "half_extents")

SOLVED = "solved"
"""The measure that counts the subtasks solved."""
STAGES = tuple(f"{SOLVED}_{count}" for count in range(1, LENGTH + 1))


@dataclass(frozen=True)
class CalvinOptions:
    """How the play table can be set up."""

    renderer: Literal["auto", "tiny", "egl"] = "auto"
    """`tiny`: pybullet's CPU renderer; `egl`: its OpenGL plugin, which published numbers used;
    `auto`: `egl` where there is an NVIDIA GPU."""
    control: Literal["relative", "absolute"] = "relative"
    """`relative`: CALVIN's `rel_actions`; `absolute`: poses in the world frame."""
    cameras: Literal["static", "static+gripper"] = "static+gripper"
    """What a policy may ask for. One that asks for everything is served by this."""
    annotations: str = "validation"
    """The official sentences, or a YAML file of one's own. Read by the suite."""
