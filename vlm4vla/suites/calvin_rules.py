"""CALVIN's 34 subtasks as rules on a symbolic scene: which may follow which in a chain.

The order of tasks, the categories and the rules are those of mees/calvin@fa03f01
(`evaluation/multistep_sequences.py`); the random draws of `calvin_sequences` depend on the order.
`calvin_rules.csv` lists them, a rule a line: its subtask, what must hold before and what is then
changed. A block on a shelf, for one, is in reach only where the door is not in front of it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Value = int | str
Scene = Mapping[str, Value]
"""Variable -> value, in the order of `VARIABLES`."""

VARIABLES = (
    "led", "lightbulb", "slider", "drawer", "red_block", "blue_block", "pink_block", "grasped",
)  # fmt: skip
COLOURS = ("red", "blue", "pink")
SHELVES = ("slider_right", "slider_left")

_TABLE = Path(__file__).with_suffix(".csv")


@dataclass(frozen=True)
class Rule:
    """What must hold before a subtask, and what holds after it."""

    task: str
    category: int
    """A number of 1 to 11; the five subtasks of a chain are of five categories."""
    before: Scene
    after: Scene

    def matches(self, scene: Scene) -> bool:
        """Whether every condition holds in `scene`."""
        return all(scene[name] == value for name, value in self.before.items())


def _scene(text: str) -> Scene:
    """`drawer=open grasped=0` as variables and values."""
    pairs = (pair.split("=") for pair in text.split())
    return {name: int(value) if value.isdigit() else value for name, value in pairs}


@cache
def rules() -> Mapping[str, tuple[Rule, ...]]:
    """Task -> its rules."""
    table: dict[str, tuple[Rule, ...]] = {}
    with _TABLE.open(encoding="ascii", newline="") as file:
        for task, category, before, after in list(csv.reader(file))[1:]:
            rule = Rule(task, int(category), _scene(before), _scene(after))
            table[task] = (*table.get(task, ()), rule)
    return table


TASKS = tuple(rules())
"""All subtasks, in the order from which chains are drawn."""


def apply(task: str, scene: Scene) -> Scene | None:
    """The scene after `task`, or None unless exactly one of its rules matches."""
    matching = [rule for rule in rules()[task] if rule.matches(scene)]
    return {**scene, **matching[0].after} if len(matching) == 1 else None
