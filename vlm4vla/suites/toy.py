"""Episodes of the toy, drawn with Python's own generator: its stream is stable across versions."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.options import Bounds, read

_DISTANCES = {"near": (0.15, 0.25), "far": (0.3, 0.45)}  # puck to pad, metres


@dataclass(frozen=True)
class _Arguments:
    count: Annotated[int, Bounds(1, 100_000)] = 10


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """`count` episodes of each task, `near` and `far`."""
    count = read(_Arguments, arguments, f"the episodes of '{suite}'").count
    return [_episode(EpisodeKey(suite, task, i)) for task in _DISTANCES for i in range(count)]


def _episode(key: EpisodeKey) -> Episode:
    draw = random.Random(f"toy/{key.task}/{key.init}")
    low, high = _DISTANCES[key.task]
    pad = [round(draw.uniform(-0.2, 0.2), 4), round(draw.uniform(-0.2, 0.2), 4)]
    angle, distance = draw.uniform(0, 2 * math.pi), draw.uniform(low, high)
    puck = [
        round(min(max(pad[0] + distance * math.cos(angle), -0.45), 0.45), 4),
        round(min(max(pad[1] + distance * math.sin(angle), -0.45), 0.45), 4),
    ]
    return Episode(
        key, "carry the red puck to the blue pad", 60, {"puck": list(puck), "pad": list(pad)}
    )
