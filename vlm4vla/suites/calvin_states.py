"""Symbolic scenes of CALVIN as numbers: where the joints, the lights and the blocks begin.

Positions on the table and yaws are drawn from a hash of the scene's values, as mees/calvin@fa03f01
(`evaluation/utils.py`) does it with pyhash 0.9.3 and numpy's legacy generator.
"""

from __future__ import annotations

from math import pi

import numpy as np

from vlm4vla.suites.calvin_rules import Scene

ROBOT_OBS = (
    0.02586889, -0.2313129, 0.5712808, 3.09045411, -0.02908596, 1.50013585, 0.07999963,
    -1.21779124, 1.03987629, 2.11978254, -2.34205014, -0.87015899, 1.64119093, 0.55344928, 1.0,
)  # fmt: skip
"""How every chain begins: TCP position m (3) and Euler angles rad (3), opening m, arm joints rad
(7), last gripper action."""

_SLIDER_LEFT, _DRAWER_OPEN, _SWITCH_ON = 0.28, 0.22, 0.088
_SHELVES = {
    "slider_left": (-0.240851662, 0.0924044687, 0.460990009),
    "slider_right": (0.070341633, 0.0924044687, 0.460990009),
}
_TABLE = ((0.0500000896, -0.120000177, 0.459990009), (0.229995412, -0.11999514, 0.45999001))
_YAW = (3 * pi / 8, 5 * pi / 8)


def scene_obs(scene: Scene) -> list[float]:
    """The 24 numbers of the scene: slide, drawer, button, switch (m), bulb, LED, 3 x block pose.

    A block's pose is its position in metres and its Euler angles in radians: red, blue, pink.
    """
    random = np.random.RandomState(seed(scene))
    spots = [np.array(spot) for spot in _TABLE]
    random.shuffle(spots)
    table = {  # one or two of them stand there
        "red_block": spots[0],
        "blue_block": spots[1] if scene["red_block"] == "table" else spots[0],
        "pink_block": spots[1],
    }
    numbers = [
        _SLIDER_LEFT if scene["slider"] == "left" else 0.0,
        _DRAWER_OPEN if scene["drawer"] == "open" else 0.0,
        0.0,
        _SWITCH_ON if scene["lightbulb"] else 0.0,
        float(scene["lightbulb"]),
        float(scene["led"]),
    ]
    for block, spot in table.items():
        place = spot if scene[block] == "table" else _SHELVES[str(scene[block])]
        numbers += [*map(float, place), 0.0, 0.0, float(random.uniform(*_YAW))]
    return numbers


def seed(scene: Scene) -> int:
    """What the scene's random numbers are seeded with."""
    return fnv1(f"dict_values({list(scene.values())})")


def fnv1(text: str) -> int:
    """The 32-bit FNV-1 hash as pyhash computes it: of UTF-16-LE, from 0 (no offset basis)."""
    value = 0
    for byte in text.encode("utf-16-le"):
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value
