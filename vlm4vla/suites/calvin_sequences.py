"""The thousand chains of CALVIN's long-horizon evaluation, regenerated and shipped.

Drawn as mees/calvin@fa03f01 draws them: for each of 192 initial scenes, five of the 34 subtasks in
random order until enough chains are possible, then all of them shuffled. `draw` repeats that in
seconds; `sequences` reads its result, which ships, so that naming a suite costs nothing.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vlm4vla.suites.calvin_rules import (
    COLOURS,
    SHELVES,
    TASKS,
    VARIABLES,
    Scene,
    Value,
    apply,
    rules,
)

LENGTH = 5
COUNT = 1000

_TABLE = Path(__file__).with_suffix(".csv")
"""The number of a chain's scene, and those of its subtasks; a chain a line."""
_BATCH = 4096
_MOST_DRAWS = 2_000_000  # for one scene; an endless loop would say less than an error


@dataclass(frozen=True)
class Chain:
    """One chain: where it begins and what is asked for, one subtask after the other."""

    scene: Scene
    subtasks: tuple[str, ...]


@cache
def sequences() -> tuple[Chain, ...]:
    """The thousand chains in the order of the benchmark."""
    scenes = initial_scenes()
    with _TABLE.open(encoding="ascii", newline="") as file:
        rows = [[int(cell) for cell in row] for row in list(csv.reader(file))[1:]]
    return tuple(Chain(scenes[row[0]], tuple(TASKS[i] for i in row[1:])) for row in rows)


@cache
def initial_scenes() -> tuple[Scene, ...]:
    """The 192 symbolic scenes, in order: one or two blocks on the table, at most one a shelf."""
    places = ("table", *SHELVES)
    found: list[Scene] = []
    axes: list[tuple[Value, ...]] = [(0, 1), (0, 1), ("right", "left"), ("closed", "open")]
    for values in product(*axes, *[places] * len(COLOURS), (0,)):
        blocks = values[4:7]
        if 1 <= blocks.count("table") <= 2 and all(blocks.count(s) <= 1 for s in SHELVES):
            found.append(dict(zip(VARIABLES, values, strict=True)))
    return tuple(found)


def draw() -> tuple[Chain, ...]:
    """What `sequences` reads, drawn anew in about ten CPU-seconds."""
    table, start = _transitions()
    scenes = initial_scenes()
    drawn: list[Chain] = []
    for number, scene in enumerate(scenes):
        quota = COUNT // len(scenes) + (number < COUNT % len(scenes))
        chains = _chains(np.random.RandomState(number), quota, table, start[number])
        drawn += [Chain(scene, tuple(TASKS[task] for task in chain)) for chain in chains]
    np.random.RandomState(0).shuffle(drawn)  # type: ignore[arg-type]
    return tuple(drawn)


def _chains(
    random: np.random.RandomState, quota: int, table: NDArray[np.int64], start: int
) -> list[tuple[int, ...]]:
    """The first `quota` possible chains among the permutations that `random` gives."""
    kinds = 1 << np.array([rules()[task][0].category for task in TASKS])
    found: list[tuple[int, ...]] = []
    for _ in range(_MOST_DRAWS // _BATCH):
        # Row by row on one generator: what `choice(34, 5, replace=False)` draws, without its cost.
        rows = np.tile(np.arange(len(TASKS)), (_BATCH, 1))
        for row in rows:
            random.shuffle(row)
        heads = rows[:, :LENGTH]
        different = np.bitwise_count(np.bitwise_or.reduce(kinds[heads], axis=1)) == LENGTH
        heads = heads[different]
        state = np.full(len(heads), start)
        for step in range(LENGTH):
            state = table[state, heads[:, step]]
        found += [tuple(int(task) for task in chain) for chain in heads[state >= 0]]
        if len(found) >= quota:
            return found[:quota]
    raise RuntimeError(f"No {quota} chains in {_MOST_DRAWS} draws: the rules are wrong.")


def _transitions() -> tuple[NDArray[np.int64], list[int]]:
    """Scenes as numbers: (scenes + 1, 34) next scene or -1, and the numbers of the initial ones.

    The last row is the dead end that index -1 leads to, and stays there.
    """
    numbers: dict[tuple[object, ...], int] = {}
    queue: list[Scene] = []

    def number(scene: Scene) -> int:
        key = tuple(scene[name] for name in VARIABLES)
        if key not in numbers:
            numbers[key] = len(queue)
            queue.append(scene)
        return numbers[key]

    start = [number(scene) for scene in initial_scenes()]
    rows = []
    for scene in queue:  # grows while it is read
        after = [apply(task, scene) for task in TASKS]
        rows.append([-1 if scene is None else number(scene) for scene in after])
    rows.append([-1] * len(TASKS))
    return np.array(rows), start
