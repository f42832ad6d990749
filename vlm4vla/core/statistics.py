"""Quantiles of a data set's actions: published ones by name, and a data set's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from vlm4vla.core.errors import OutOfRange, UnknownName
from vlm4vla.core.formats import read_fields


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


_PUBLISHED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

SOURCES: Mapping[str, str] = {name: entry.pop("source") for name, entry in _PUBLISHED.items()}
"""Statistics -> where they were published."""
NAMED = {
    name: read_fields(ActionStatistics, {"name": name, **entry}, name)
    for name, entry in _PUBLISHED.items()
}
"""Published statistics by name; a dataset's own are computed by `of_actions`."""


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
