"""Which of CALVIN's 34 subtasks have been done between two moments.

The predicates and their thresholds are those of mees/calvin_env@797142c (`envs/tasks.py`,
`conf/tasks/new_playtable_tasks.yaml`), read as they behave, quirks included.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats

Contact = tuple[int, int]
"""Body and link that touch; link -1 is a body's base."""

TILT, SHIFT = 30.0, 0.10
"""Most that a block may tilt (degrees) and move (metres) while it is being rotated."""
REST = 1.0
"""A stacked block is at rest below this, metres and radians a second, on every axis."""


@dataclass(frozen=True)
class BlockState:
    """One block. World frame, SI units."""

    uid: int
    position: Floats
    """(3,)."""
    quaternion: Floats
    """(4,) xyzw."""
    linear: Floats
    """(3,) velocity."""
    angular: Floats
    """(3,) velocity."""
    contacts: frozenset[Contact]
    """Everything that touches the block, the robot included."""

    @property
    def bodies(self) -> frozenset[int]:
        """The bodies among its contacts."""
        return frozenset(body for body, _ in self.contacts)


@dataclass(frozen=True)
class Snapshot:
    """What the oracle looks at, free of the simulator: the world after a step or a reset."""

    blocks: Mapping[str, BlockState]
    doors: Mapping[str, float]
    """Joint name -> metres."""
    lights: Mapping[str, int]
    """`lightbulb` and `led` -> 1 where it shines."""
    robot: int
    """The robot's body."""
    touched: frozenset[int]
    """Bodies that the robot touches."""
    table: int
    """The table's body."""
    links: Mapping[str, int]
    """Link name of the table -> index."""

    def surface(self, link: str) -> Contact:
        """The contact with a link of the table."""
        return self.table, self.links[link]

    @property
    def block_bodies(self) -> frozenset[int]:
        """The bodies that are blocks."""
        return frozenset(block.uid for block in self.blocks.values())


Predicate = Callable[[Snapshot, Snapshot], bool]
"""From the snapshot at the subtask's start and the one now."""


def solved_tasks(start: Snapshot, now: Snapshot) -> frozenset[str]:
    """All tasks that have been done between the two moments."""
    return frozenset(task for task, holds in PREDICATES.items() if holds(start, now))


def rotated(start: Snapshot, now: Snapshot, *, block: str, degrees: float) -> bool:
    """Turned in place by more than `degrees` about the vertical, left positive; not held up."""
    before, after = start.blocks[block], now.blocks[block]
    if np.linalg.norm(after.position - before.position) > SHIFT:
        return False
    if not after.bodies - {now.robot}:
        return False
    turn = rotation.to_matrix(after.quaternion, "quat_xyzw")
    turn = turn @ rotation.to_matrix(before.quaternion, "quat_xyzw").T
    x, y, z = np.degrees(rotation.from_matrix(turn, "euler_xyz"))
    return bool(abs(x) < TILT and abs(y) < TILT and abs(z) < 180) and _beyond(z, degrees)


def pushed(start: Snapshot, now: Snapshot, *, block: str, distance: float) -> bool:
    """Moved along x by more than `distance` (right is positive), on what it stood on all along."""
    before, after = start.blocks[block], now.blocks[block]
    stood = {contact for contact in before.contacts if contact[0] != start.robot}
    stands = {contact for contact in after.contacts if contact[0] != now.robot}
    if not stood or not stood <= stands:
        return False
    return _beyond(after.position[0] - before.position[0], distance)


def door_moved(start: Snapshot, now: Snapshot, *, joint: str, distance: float) -> bool:
    """A door's joint has moved by more than `distance`, metres, in that direction."""
    return _beyond(now.doors[joint] - start.doors[joint], distance)


def lifted(start: Snapshot, now: Snapshot, *, block: str, height: float, link: str) -> bool:
    """Was on `link` of the table, is higher by `height` metres, and only the robot touches it."""
    before, after = start.blocks[block], now.blocks[block]
    return (
        bool(after.position[2] - before.position[2] > height)
        and after.bodies == {now.robot}
        and start.surface(link) in before.contacts
    )


def placed(start: Snapshot, now: Snapshot, *, link: str) -> bool:
    """The block that the robot held has been let go and touches `link` of the table."""
    for name, before in start.blocks.items():
        if start.touched == {before.uid}:
            after = now.blocks[name]
            return (
                before.bodies == {start.robot}
                and now.robot not in after.bodies
                and now.surface(link) in after.contacts
            )
    return False


def pushed_into(start: Snapshot, now: Snapshot, *, source: str, target: str) -> bool:
    """Some block touched nothing but `source` of the table, and touches `target` now.

    The robot may still touch it: upstream means to forbid that, but compares unlike things.
    """
    return any(
        before.contacts == {start.surface(source)}
        and now.surface(target) in now.blocks[name].contacts
        for name, before in start.blocks.items()
    )


def stacked(start: Snapshot, now: Snapshot) -> bool:
    """Some block that touched no other rests on nothing but others, free of robot and table."""
    return any(
        not before.bodies & start.block_bodies
        and _on_blocks_alone(now.blocks[name], now)
        and _at_rest(now.blocks[name])
        for name, before in start.blocks.items()
    )


def unstacked(start: Snapshot, now: Snapshot) -> bool:
    """Some block that rested on nothing but others touches none any more."""
    return any(
        _on_blocks_alone(before, start)
        and _at_rest(before)
        and not now.blocks[name].bodies & now.block_bodies
        for name, before in start.blocks.items()
    )


def light_toggled(start: Snapshot, now: Snapshot, *, light: str, on: int) -> bool:
    """The light was the other way and is `on` now."""
    return start.lights[light] == 1 - on and now.lights[light] == on


def _beyond(moved: float, limit: float) -> bool:
    """Farther than the limit, in its direction."""
    return bool(moved > limit if limit > 0 else moved < limit)


def _on_blocks_alone(block: BlockState, moment: Snapshot) -> bool:
    return bool(block.bodies) and block.bodies <= moment.block_bodies


def _at_rest(block: BlockState) -> bool:
    return bool(np.all(np.abs(block.linear) < REST) and np.all(np.abs(block.angular) < REST))


_RULES = (
    rotated, pushed, door_moved, lifted, placed, pushed_into, stacked, unstacked, light_toggled,
)  # fmt: skip
_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _predicate(*, rule: str, **arguments: Any) -> Predicate:
    (holds,) = (one for one in _RULES if one.__name__ == rule)
    return partial(holds, **arguments)


PREDICATES: Mapping[str, Predicate] = {task: _predicate(**row) for task, row in _TABLE.items()}
"""Subtask -> whether it has been done between two moments; in upstream's order."""
TASKS: tuple[str, ...] = tuple(PREDICATES)
