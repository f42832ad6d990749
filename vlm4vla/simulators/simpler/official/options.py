"""How upstream's SimplerEnv can be set up, and what it shows. Imports no simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Robot = Literal["widowx", "google"]

ENVIRONMENT = "simpler_official"
PRIVILEGED = ("tcp", "qpos", "things", "drawers")
"""World frame, SI units, quaternions wxyz: the hand's pose (7,), all joints in upstream's order,
the things' poses (n, 7) as rows in upstream's order, how far drawers are open (3,) or nothing."""


@dataclass(frozen=True)
class OfficialOptions:
    """Which of upstream's benchmarks, and how it is drawn."""

    robot: Robot = "widowx"
    """`widowx`: the Bridge tasks; `google`: the Google Robot's."""
    variant: Literal["matching", "aggregation", "core"] = "matching"
    """Of the Google Robot's episodes, as the suites of `simpler_google` know it."""
    shader: Literal["upstream", "ibl"] = "upstream"
    """`upstream`: drawers and apple ray-traced, which takes an NVIDIA GPU, the rest by `ibl`;
    `ibl`: everything by it, which a CPU can."""
