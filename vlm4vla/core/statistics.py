"""Quantiles of a data set's actions: published ones by name, and a data set's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vlm4vla.core.errors import OutOfRange, UnknownName


@dataclass(frozen=True)
class ActionStatistics:
    """Quantiles of a dataset's actions: q01 -> -1, q99 -> 1 (OpenVLA's BOUNDS_Q99)."""

    name: str
    q01: tuple[float, float, float, float, float, float]
    q99: tuple[float, float, float, float, float, float]

    def __post_init__(self) -> None:
        """Refuse quantiles in the wrong order."""
        if any(low > high for low, high in zip(self.q01, self.q99, strict=True)):
            raise OutOfRange(f"Statistics '{self.name}': a q01 lies above its q99.")


NAMED = {
    "bridge_orig": ActionStatistics(
        "bridge_orig",
        (-0.02873, -0.0417, -0.02609, -0.08092, -0.09289, -0.20718),
        (0.02831, 0.04086, 0.04016, 0.08192, 0.07793, 0.20383),
    ),
    "fractal20220817_data": ActionStatistics(
        "fractal20220817_data",
        (-0.22454, -0.1482, -0.23159, -0.3518, -0.4193, -0.43643),
        (0.17825, 0.14938, 0.21842, 0.58927, 0.35273, 0.44797),
    ),
    "libero_10_no_noops": ActionStatistics(
        "libero_10_no_noops",
        (-0.63482, -0.77411, -0.76339, -0.0975, -0.1482, -0.27429),
        (0.77143, 0.84643, 0.9375, 0.13929, 0.15964, 0.32464),
    ),
}
"""Published statistics by name; a dataset's own are computed by `of_actions`."""
SOURCES = dict.fromkeys(
    NAMED, "OpenVLA's dataset statistics, dimensions 0-5, as VLM4VLA ships them"
)
"""Statistics -> where they were published."""


def named(name: str) -> ActionStatistics | None:
    """The published statistics of that name, None for `none`. Raises UnknownName."""
    if name == "none":
        return None
    if name not in NAMED:
        raise UnknownName("statistics", name, ["none", *NAMED])
    return NAMED[name]


def of_actions(name: str, actions: ArrayLike) -> ActionStatistics:
    """q01 and q99 of a dataset's actions (N, 6 or 7)."""
    low, high = np.quantile(np.asarray(actions, np.float64)[:, :6], [0.01, 0.99], axis=0)
    return ActionStatistics(name, tuple(low.tolist()), tuple(high.tolist()))
