"""Episodes of the toy, drawn with Python's own generator: its stream is stable across versions."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.errors import OutOfRange, UnknownName

_DISTANCES = {"near": (0.15, 0.25), "far": (0.3, 0.45)}  # puck to pad, metres
_MOST = 100_000


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """`count` episodes of each task, `near` and `far`."""
    for name in arguments:
        if name != "count":
            raise UnknownName("episode argument of toy", name, ["count"])
    count = arguments.get("count", 10)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST:
        raise OutOfRange(f"count {count} is not a whole number in 1..{_MOST}.")
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
