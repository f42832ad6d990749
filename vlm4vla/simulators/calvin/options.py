"""How the play table can be set up, checked once and passed on typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CalvinOptions:
    """The simulator's settings."""

    renderer: Literal["auto", "tiny", "egl"] = "auto"
    """`tiny`: pybullet's CPU renderer; `egl`: its OpenGL plugin, which published numbers used;
    `auto`: `egl` where there is an NVIDIA GPU."""
    control: Literal["relative", "absolute"] = "relative"
    """`relative`: CALVIN's `rel_actions`; `absolute`: poses in the world frame."""
    cameras: Literal["static", "static+gripper"] = "static+gripper"
    """What a policy may ask for. One that asks for everything is served by this."""
    annotations: str = "validation"
    """The official sentences, or a YAML file of one's own. Read by the suite."""
