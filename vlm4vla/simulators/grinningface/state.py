"""What there is on the table, and how it stands after a control step."""

from __future__ import annotations

from dataclasses import dataclass

from vlm4vla.core.simulator import Floats

CUBE = 0.015
CARD = (0.07, 0.07, 0.001)
"""Half sizes, metres (env_widowx_v8.py). At 1000 kg/m3 the cube weighs 27 g."""


@dataclass(frozen=True)
class State:
    """What the rules and the experts look at, after a control step. World frame, SI units."""

    cube: Floats
    """(7,) position and quaternion wxyz."""
    cube_speed: float
    cards: Floats
    """(3, 7) poses, like `cube`."""
    tcp: Floats
    """(7,) pose of the tool centre."""
    command: Floats
    """(3,) commanded tool centre."""
    finger_distance: float
    """Between the finger links' origins."""
    arm_speed: float
    """Largest joint speed without the fingers, rad/s."""
    grasped: bool
    """ManiSkill3's test: both fingers press, 0.5 N or more, within 85 degrees of closing."""
    touched: bool
    """Any part of the robot exerts force on the cube."""
    supported: bool
    """Something that is not the robot exerts force on the cube."""
