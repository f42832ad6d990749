"""The two arms: where their models are, how they stand, which joints and links matter."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.assets import locate
from vlm4vla.core.errors import MissingAsset
from vlm4vla.core.files import packaged
from vlm4vla.core.formats import read_fields
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


_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
ROBOTS: Mapping[str, Robot] = {
    name: read_fields(Robot, {"name": name, **stated}, name) for name, stated in _TABLE.items()
}
WIDOWX, PANDA = ROBOTS["widowx"], ROBOTS["panda"]


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
