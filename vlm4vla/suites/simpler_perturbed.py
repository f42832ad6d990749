"""What SimplerEnv's suites beyond the official grids are drawn from.

- `jitter`: each pose of the grid shifted by up to 1 cm and turned by up to 15 degrees
- `altered`: things anywhere within the grid's bounds and turned anyhow, the arm's joints off by
  0.02 rad (standard deviation)

Ours, and documented as such; rounded to the micrometre, in suites with names of their own.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable
from typing import Literal

Poses = Literal["grid", "jitter", "altered"]
Uniform = Callable[[float, float], float]

SHIFT, TURN, ARM = 0.01, math.pi / 12, 0.02
"""Metres and radians of a jitter, and the arm's deviation in radians."""


def generator(text: str) -> Uniform:
    """Only `random()` is used, whose sequence Python guarantees across versions."""
    draw = random.Random(zlib.crc32(text.encode())).random
    return lambda low, high: low + (high - low) * draw()


def arm(between: Uniform, joints: int) -> list[float]:
    """Deviations of an arm's joints, radians: Box and Muller's cosine branch."""

    def normal() -> float:
        radius = math.sqrt(-2 * math.log(1 - between(0, 1)))
        return round(ARM * radius * math.cos(2 * math.pi * between(0, 1)), 6)

    return [normal() for _ in range(joints)]
