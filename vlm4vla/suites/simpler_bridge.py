"""Episodes of SimplerEnv's Bridge tasks: upstream's grid of 24 a task.

Grids and sentences are those of `custom_scenes/put_on_in_scene.py` (ManiSkill2_real2sim@ef7a4d4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Annotated

from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.options import Bounds, read

GRID = 24
"""Episodes a task: upstream's numbers 0 to 23 are our inits."""

Pair = tuple[float, float]
Start = list[float]
"""x, y, and the quaternion wxyz from which a thing is dropped."""


@dataclass(frozen=True)
class _Task:
    instruction: str
    max_steps: int
    places: Sequence[tuple[Pair, Pair]]
    """Where source and target are dropped, metres; the outer loop of the grid."""
    yaws: Sequence[float]
    """How the source is turned, radians; the inner loop. The target is not turned."""


@dataclass(frozen=True)
class BridgeEpisodes:
    """Which episodes a suite has."""

    count: Annotated[int, Bounds(1, GRID)] = GRID


def _corners(x: float, y: float) -> list[tuple[Pair, Pair]]:
    """Each ordered pair of the corners of a rectangle with these half edges."""
    corners = [(-0.16 + i * x, j * y) for i, j in product((-1, 1), repeat=2)]
    return list(permutations(corners, 2))


_QUARTER = math.pi / 2
TASKS: Mapping[str, _Task] = {
    "spoon": _Task("put the spoon on the towel", 60, _corners(0.075, 0.075), (0, _QUARTER)),
    "carrot": _Task("put carrot on plate", 60, _corners(0.075, 0.075), (math.pi, -_QUARTER)),
    "cube": _Task(
        "stack the green block on the yellow block",
        60,
        _corners(0.05, 0.05) + _corners(0.1, 0.1),
        (0,),
    ),
    "eggplant": _Task(
        "put eggplant into yellow basket",
        120,
        [
            ((-0.105 + x, 0.206 + y), (-0.125, 0.025))
            for x in (-0.01, 0.01)
            for y in (-0.015, -0.005, 0.005, 0.015)
        ],
        (0, _QUARTER / 2, -_QUARTER / 2),
    ),
}
"""Named as published tables name them."""


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """The first `count` of each task's grid, in upstream's order."""
    count = read(BridgeEpisodes, arguments, f"the episodes of suite '{suite}'").count
    return [
        Episode(
            EpisodeKey(suite, name, init),
            task.instruction,
            task.max_steps,
            {"starts": [_start(source, yaw), _start(target, 0.0)]},
        )
        for name, task in TASKS.items()
        for init, ((source, target), yaw) in list(enumerate(product(task.places, task.yaws)))[
            :count
        ]
    ]


def _start(place: Pair, yaw: float) -> Start:
    return [*place, math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)]
