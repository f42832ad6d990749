"""How a script moves the hand: from where it is measured to be towards where it shall be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats

Script = Iterator[Floats]
"""Actions (7,), each for the state at which it is asked for."""
Goal = Floats | Callable[[], Floats]
"""(3,) metres in the world, or what gives it for the present state."""

GAIN = 1.8
"""Commanded over wanted motion: springs and their damping lag, and nothing makes up for it."""
STRIDE, TWIST = 0.12, 0.45
"""Greatest commanded motion, metres and radians."""
SURE = 4
"""Steps for which success has held when the episode is said to be over: drawers may be knocked."""
STUCK, PATIENCE = 0.002, 8
"""Metres; who moves less than that for some steps asked for what the arm cannot reach."""


class Hand:
    """What a script knows, and its actions."""

    def __init__(self, script: Callable[[Hand], Script]) -> None:
        """`script` is begun at the first action."""
        self._script = script(self)
        self.state: Mapping[str, Floats] = {}
        self.still = 0
        """Steps since the hand last moved."""
        self.declares = False
        """With the action given, the instruction is said to be carried out."""
        self._successes = 0

    def act(self, state: Mapping[str, Floats]) -> tuple[Floats, bool]:
        """The next action, and whether the episode or its instruction is over with it."""
        moved = np.abs(state["tcp"] - self.state["tcp"]).max() if self.state else 1.0
        self.still = 0 if moved > STUCK else self.still + 1
        self.state, self.declares = state, False
        self._successes = self._successes + 1 if state["success"][0] else 0
        action = next(self._script, np.zeros(7))
        return action, self.declares or self._successes >= SURE

    @property
    def place(self) -> Floats:
        """(3,) of the tool."""
        here: Floats = self.state["tcp"][:3]
        return here

    @property
    def turn(self) -> Floats:
        """(3, 3): x and y across the tool, the fingers close along y, z is where it points."""
        return rotation.to_matrix(self.state["tcp"][3:], "quat_wxyz")

    def towards(self, goal: Floats, turn: Floats, pace: float = 1.0) -> Floats:
        """One action, of at most `pace` times the greatest motion."""
        base = rotation.to_matrix(self.state["base"][3:], "quat_wxyz").T
        pace *= 0.8 ** max(0, self.still - 1)
        step = _cut(GAIN * (goal - self.place), pace * STRIDE)
        twist = rotation.from_matrix(turn @ self.turn.T, "rotvec")
        twist = _cut(GAIN * twist, pace * TWIST)
        # An arm that stands still cannot do both at once: one after the other.
        step *= self.still % 3 != 2
        twist *= self.still < 2 or self.still % 3 == 2
        return np.concatenate([base @ step, base @ twist, [0.0]])

    def go(
        self,
        goal: Goal,
        turn: Floats,
        near: float = 0.01,
        steps: int = 30,
        level: float = 0.1,
        pace: float = 1.0,
    ) -> Script:
        """Until nearer than `near` metres and `level` radians, or stuck, or for so many steps."""
        stuck = 0
        for _ in range(steps):
            here = goal() if callable(goal) else goal
            far = float(np.linalg.norm(here - self.place))
            off = float(np.linalg.norm(rotation.from_matrix(turn @ self.turn.T, "rotvec")))
            if far < near and off < level:
                return
            stuck = stuck + 1 if self.still else 0
            if stuck > PATIENCE:
                return
            yield self.towards(here, turn, pace)

    def grip(self, command: float, steps: int) -> Script:
        """Close (1) or open (-1) without going anywhere."""
        for _ in range(steps):
            yield np.array([0, 0, 0, 0, 0, 0, command], np.float64)

    def lift(self, height: float) -> Floats:
        """(3,) so much above where the tool is."""
        above: Floats = self.place + np.array([0.0, 0.0, height])
        return above

    def wait(self, steps: int) -> Script:
        """Stay."""
        yield from self.grip(0.0, steps)

    def thing(self, index: int) -> Floats:
        """(3,) centre of mass of a thing."""
        centre: Floats = self.state["centres"].reshape(-1, 3)[index]
        return centre


def pointing(lean: float, roll: float = 0.0) -> Floats:
    """(3, 3) of a tool that points down and, by `lean`, towards -x; the fingers close along x.

    `roll` turns it about where it points: with a quarter they close along y.
    """
    down = np.array([-np.sin(lean), 0.0, -np.cos(lean)])
    side = np.array([0.0, 1.0, 0.0])
    frame = np.stack([side, np.cross(down, side), down], axis=1)
    turned: Floats = frame @ rotation.to_matrix(np.array([0.0, 0.0, roll]), "rotvec")
    return turned


def nearest(turns: Iterable[Floats], to: Floats) -> Floats:
    """The turn (3, 3) that is the least way from `to`."""
    return max(turns, key=lambda turn: float(np.trace(turn.T @ to)))


def _cut(motion: Floats, most: float) -> Floats:
    return motion * min(1.0, most / max(float(np.linalg.norm(motion)), 1e-9))
