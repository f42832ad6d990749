"""Episodes of SimplerEnv's Bridge tasks: upstream's grid of 24 a task, and more than that.

Grids and sentences are those of `custom_scenes/put_on_in_scene.py` (ManiSkill2_real2sim@ef7a4d4).
The eggplant rolls in the sink before it rests, and rolls elsewhere in another version of the
engine: on the grid it and the basket's plane begin where upstream's come to rest
(`simpler_eggplant.csv`, read from `simpler_bridge_official`). All else is dropped here.

Further episodes are ours, drawn from the suite's seed (`simpler_perturbed`); `altered` has besides
the grid's blocks with a third one below the yellow one.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from pathlib import Path
from typing import Annotated

from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.errors import OutOfRange
from vlm4vla.core.options import Bounds, read
from vlm4vla.suites.simpler_perturbed import SHIFT, TURN, Poses, Uniform, arm, generator

GRID = 24
"""Poses a task; upstream's episode is our init modulo this, and the rest counts repeats."""
_RESTS = Path(__file__).with_name("simpler_eggplant.csv")
SUPPORTED = "cube_supported"
"""The task with a block below the yellow one."""

Pair = tuple[float, float]
Start = tuple[Pair, float]
"""Where a thing is dropped, metres, and its yaw, radians."""


@dataclass(frozen=True)
class _Task:
    instruction: str
    max_steps: int
    places: Sequence[tuple[Pair, Pair]]
    """Where source and target are dropped, metres; the outer loop of the grid."""
    yaws: Sequence[float]
    """How the source is turned, radians; the inner loop. The target is not turned."""
    apart: float
    """Metres between the middles of things that do not touch, however they are turned."""
    moves: bool = True
    """The target may lie elsewhere; the basket in the photo may not."""

    def grid(self) -> Iterator[tuple[Start, Start]]:
        """Source and target of upstream's episodes, in its order."""
        for (source, target), yaw in product(self.places, self.yaws):
            yield (source, yaw), (target, 0.0)


@dataclass(frozen=True)
class BridgeEpisodes:
    """Which episodes a suite has."""

    poses: Poses = "grid"
    repeats: Annotated[int, Bounds(1, 1000)] = 1
    """How often the 24 are played; as they stand there is nothing new but a policy's chance."""
    seed: int = 0


def _corners(x: float, y: float) -> list[tuple[Pair, Pair]]:
    """Each ordered pair of the corners of a rectangle with these half edges."""
    corners = [(-0.16 + i * x, j * y) for i, j in product((-1, 1), repeat=2)]
    return list(permutations(corners, 2))


_QUARTER = math.pi / 2
TASKS: Mapping[str, _Task] = {
    "spoon": _Task("put the spoon on the towel", 60, _corners(0.075, 0.075), (0, _QUARTER), 0.145),
    "carrot": _Task("put carrot on plate", 60, _corners(0.075, 0.075), (math.pi, -_QUARTER), 0.125),
    "cube": _Task(
        "stack the green block on the yellow block",
        60,
        _corners(0.05, 0.05) + _corners(0.1, 0.1),
        (0,),
        0.06,
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
        0.1,
        moves=False,
    ),
}
"""Named as published tables name them."""


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """The tasks' episodes: 24 and their repeats, each task's in upstream's order."""
    asked = read(BridgeEpisodes, arguments, f"the episodes of suite '{suite}'")
    if asked.poses == "grid" and asked.seed:
        raise OutOfRange("The grid is drawn from no seed.", "Leave `seed` out of the suite file.")
    made = []
    for name, task in TASKS.items():
        for init, (source, target) in enumerate(list(task.grid()) * asked.repeats):
            between = generator(f"simpler_bridge/{asked.poses}/{asked.seed}/{name}/{init}")
            setup: dict[str, JSON] = {"task": name}
            if asked.poses == "jitter":
                source, target = _jittered(task, source, target, between)
            elif asked.poses == "altered":
                source, target = _anywhere(task, target, between)
                setup["arm"] = list[JSON](arm(between, 6))
            elif name == "eggplant":
                setup["rests"] = _rests()[init % GRID]
            setup["starts"] = [_dropped(source), _dropped(target)]
            key = EpisodeKey(suite, name, init)
            made.append(Episode(key, task.instruction, task.max_steps, setup))
    if asked.poses == "altered":
        made += _supported(suite)
    return made


def _supported(suite: str) -> Iterator[Episode]:
    task = TASKS["cube"]
    for init, starts in enumerate(task.grid()):
        setup: dict[str, JSON] = {
            "task": "cube", "starts": [_dropped(start) for start in starts], "supported": True,
        }  # fmt: skip
        key = EpisodeKey(suite, SUPPORTED, init)
        yield Episode(key, task.instruction, task.max_steps, setup)


def _jittered(task: _Task, source: Start, target: Start, between: Uniform) -> tuple[Start, Start]:
    def moved(start: Start) -> Start:
        (x, y), yaw = start
        place = x + between(-SHIFT, SHIFT), y + between(-SHIFT, SHIFT)
        return place, yaw + between(-TURN, TURN)

    return moved(source), moved(target) if task.moves else target


def _anywhere(task: _Task, target: Start, between: Uniform) -> tuple[Start, Start]:
    """Within the bounds of where the grid has its things."""
    sources, targets = zip(*task.places, strict=True)

    def placed(places: Sequence[Pair]) -> Start:
        x, y = ([pair[axis] for pair in places] for axis in (0, 1))
        return (between(min(x), max(x)), between(min(y), max(y))), between(-math.pi, math.pi)

    while True:
        source, other = placed(sources), placed(targets) if task.moves else target
        if math.dist(source[0], other[0]) >= task.apart:
            return source, other


@cache
def _rests() -> list[list[list[float]]]:
    """Of each init the poses (7) at which eggplant and plane rest: metres, quaternion wxyz."""
    with _RESTS.open(encoding="utf-8", newline="") as file:
        rows = [[float(value) for value in row[1:]] for row in list(csv.reader(file))[1:]]
    return [[row[:7], row[7:]] for row in rows]


def _dropped(start: Start) -> list[float]:
    """x, y and the quaternion wxyz."""
    (x, y), yaw = start
    return [round(v, 8) for v in (x, y, math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))]
