"""The two arms: where their models are, how they stand, which joints and links matter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.assets import locate
from vlm4vla.core.errors import MissingAsset
from vlm4vla.core.files import packaged
from vlm4vla.core.specs import Vector3
from vlm4vla.simulators.machine import installed


@dataclass(frozen=True)
class Robot:
    """What the task must know of an arm. Gains and limits are the same for both (ManiSkill3)."""

    name: str
    base: Vector3
    """Position of the root link, metres; its axes are the world's."""
    arm: tuple[str, ...]
    """Names of the joints that inverse kinematics controls."""
    fingers: tuple[str, str]
    """Names of the two finger joints, driven alike."""
    finger_links: tuple[str, str]
    """Left and right, as ManiSkill3's grasp test takes them."""
    tcp: str
    """Link that the action moves and that proprioception reports."""
    rest: tuple[float, ...]
    """Arm joint positions at the start, before the episode's noise, radians."""
    finger_rest: float
    """Finger joint position at the start (open), metres."""
    reach: float
    """Horizontal distance from the base, metres, at which the tool still points straight down."""
    grip: Vector3 = (0.0, 0.0, 0.0)
    """Where the tool centre is best, from the cube's, when the fingers close, metres."""
    finger_friction: float | None = None
    """Friction of the finger links, where it is not the default of 0.3."""
    finger_patch: float = 0.0
    """Radius of the finger links' torsional friction patch, metres."""


WIDOWX = Robot(
    name="widowx",
    base=(-0.25, 0.7, 0.1),
    arm=("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate"),
    fingers=("right_finger", "left_finger"),
    finger_links=("left_finger_link", "right_finger_link"),
    tcp="ee_gripper_link",
    rest=(0.0, 0.0, 0.0, 0.0, math.pi / 2, 0.0),
    finger_rest=0.037,
    reach=0.48,
    # Its fingers meet in a ridge, from which a cube gripped dead centre is squeezed out: 40 of 40
    # grasps hold at 8 mm, 24 at nought.
    grip=(-0.008, 0.0, 0.0),
)
"""GrinningFace widowx_v1.py and env_widowx_v8.py."""

PANDA = Robot(
    name="panda",
    base=(-0.45, 0.7, 0.0),
    arm=tuple(f"panda_joint{i}" for i in range(1, 8)),
    fingers=("panda_finger_joint1", "panda_finger_joint2"),
    finger_links=("panda_leftfinger", "panda_rightfinger"),
    tcp="panda_hand_tcp",
    rest=(0.113, -0.381, 0.127, -2.543, 0.057, 2.164, 0.985),
    finger_rest=0.04,
    reach=0.72,
    finger_friction=2.0,
    finger_patch=0.1,
)
"""mani_skill/agents/robots/panda. Base and rest pose are ours: cube and cards within easy reach,
the gripper pointing down at (-0.05, 0.80, 0.30), where it hides no card from the camera."""

ROBOTS: Mapping[str, Robot] = {robot.name: robot for robot in (WIDOWX, PANDA)}


def urdf(robot: Robot) -> Path:
    """The robot's URDF file; MissingAsset or MissingDependency if it is not there."""
    if robot is WIDOWX:
        return locate("grinningface", "widowx250s") / "wx250s.urdf"
    return maniskill_file("assets/robots/panda/panda_v2.urdf")


def maniskill_file(path: str) -> Path:
    """A file of the installed mani-skill package; MissingDependency or MissingAsset without it."""
    if (file := packaged("mani_skill", path)) is None:
        installed("mani-skill", "The GrinningFace task", "emoji")
        raise MissingAsset(
            f"The installed mani-skill lacks {path}.",
            'pip install --force-reinstall "vlm4vla[emoji]"',
        )
    return file
