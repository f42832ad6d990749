"""CALVIN's 34 subtasks as rules on a symbolic scene: which may follow which in a chain.

The order of tasks, the categories and the rules are those of mees/calvin@fa03f01
(`evaluation/multistep_sequences.py`); the random draws of `calvin_sequences` depend on the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import cast

Value = int | str
Scene = Mapping[str, Value]
"""Variable -> value, in the order of `VARIABLES`."""

VARIABLES = (
    "led", "lightbulb", "slider", "drawer", "red_block", "blue_block", "pink_block", "grasped",
)  # fmt: skip
COLOURS = ("red", "blue", "pink")
SHELVES = ("slider_right", "slider_left")


@dataclass(frozen=True)
class Rule:
    """What must hold before a subtask, and what holds after it."""

    before: Scene
    after: Scene

    def matches(self, scene: Scene) -> bool:
        """Whether every condition holds in `scene`."""
        return all(scene[name] == value for name, value in self.before.items())


def _moves(what: str) -> list[str]:
    return [f"{what}_{colour}_block_{side}" for colour in COLOURS for side in ("right", "left")]


TASKS: tuple[str, ...] = (
    *_moves("rotate"),
    *_moves("push"),
    "move_slider_left",
    "move_slider_right",
    "open_drawer",
    "close_drawer",
    *(f"lift_{c}_block_{place}" for c in COLOURS for place in ("table", "slider", "drawer")),
    "place_in_slider",
    "place_in_drawer",
    "stack_block",
    "unstack_block",
    "turn_on_lightbulb",
    "turn_off_lightbulb",
    "turn_on_led",
    "turn_off_led",
    "push_into_drawer",
)
"""All subtasks, in the order from which chains are drawn."""


def category(task: str) -> int:
    """A number of 1 to 11; the five subtasks of a chain are of five categories."""
    fixed = {
        "push_into_drawer": 9, "stack_block": 10, "unstack_block": 11,
        "open_drawer": 3, "close_drawer": 3,
    }  # fmt: skip
    if task in fixed:
        return fixed[task]
    if task.startswith("lift"):
        return {"table": 4, "slider": 5, "drawer": 6}[task.rpartition("_")[2]]
    kinds = {"rotate": 1, "push": 1, "move": 2, "place": 7, "turn": 8}
    return kinds[task.partition("_")[0]]


def apply(task: str, scene: Scene) -> Scene | None:
    """The scene after `task`, or None unless exactly one of its rules matches."""
    matching = [rule for rule in rules()[task] if rule.matches(scene)]
    return {**scene, **matching[0].after} if len(matching) == 1 else None


@cache
def rules() -> Mapping[str, tuple[Rule, ...]]:
    """Task -> its rules."""
    table: dict[str, list[Rule]] = {}
    for colour in COLOURS:
        block = f"{colour}_block"
        on_table = _free({block: "table"}, {block: "table"})
        for what in ("rotate", "push"):
            for side in ("right", "left"):
                table[f"{what}_{block}_{side}"] = [on_table]
        table |= _lifts(block)
    table["move_slider_left"] = [_free({"slider": "right"}, {"slider": "left"})]
    table["move_slider_right"] = [_free({"slider": "left"}, {"slider": "right"})]
    table["open_drawer"] = [_free({"drawer": "closed"}, {"drawer": "open"})]
    table["close_drawer"] = [_free({"drawer": "open"}, {"drawer": "closed"})]
    for light in ("lightbulb", "led"):
        table[f"turn_on_{light}"] = [_free({light: 0}, {light: 1})]
        table[f"turn_off_{light}"] = [_free({light: 1}, {light: 0})]
    table |= _stores() | _stacks()
    return {task: tuple(table[task]) for task in TASKS}


def _free(before: Scene, after: Scene) -> Rule:
    """A rule for an empty gripper."""
    return Rule({**before, "grasped": 0}, after)


def _lifts(block: str) -> dict[str, list[Rule]]:
    held: Scene = {block: "grasped", "grasped": 1}
    # A block on a shelf is in reach only where the door is not in front of it.
    open_shelves = [("slider_left", "right"), ("slider_right", "left")]
    return {
        f"lift_{block}_table": [_free({block: "table"}, held)],
        f"lift_{block}_slider": [_free({block: s, "slider": d}, held) for s, d in open_shelves],
        f"lift_{block}_drawer": [_free({block: "drawer", "drawer": "open"}, held)],
    }


def _stores() -> dict[str, list[Rule]]:
    blocks = [f"{colour}_block" for colour in COLOURS]
    shelf = {"right": "slider_right", "left": "slider_left"}
    return {
        "place_in_slider": [
            Rule({b: "grasped", "slider": d, "grasped": 1}, {b: s, "grasped": 0})
            for b in blocks
            for d, s in shelf.items()
        ],
        "place_in_drawer": [
            Rule({b: "grasped", "drawer": "open", "grasped": 1}, {b: "drawer", "grasped": 0})
            for b in blocks
        ],
        "push_into_drawer": [
            _free({a: "table", b: one, c: other, "drawer": "open"}, {a: "drawer", "grasped": 0})
            for a, b, c in ((b, *(o for o in blocks if o != b)) for b in blocks)
            for one in SHELVES
            for other in SHELVES
        ],
    }


def _stacks() -> dict[str, list[Rule]]:
    blocks = [f"{colour}_block" for colour in COLOURS]
    pairs = list(permutations(blocks, 2))
    stacked = [{a: "stacked_top", b: "stacked_bottom"} for a, b in pairs]
    return {
        "stack_block": [
            Rule({a: "grasped", b: "table", "grasped": 1}, {**both, "grasped": 0})
            for (a, b), both in zip(pairs, stacked, strict=True)
        ],
        "unstack_block": [
            _free(cast(Scene, both), {a: "table", b: "table"})
            for (a, b), both in zip(pairs, stacked, strict=True)
        ],
    }
