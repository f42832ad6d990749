"""When has a Google Robot task succeeded? Arithmetic on states, as upstream's `evaluate` does it.

Nothing here ends an episode: upstream reads success at the last step. Counters and latches are what
upstream keeps in `episode_stats`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.google.words import DRAWERS, GoogleSetup
from vlm4vla.simulators.simpler.simulator import Verdict

LIFTED, WELL_LIFTED = 0.01, 0.02
"""Heights above where the can lay, metres."""
ENOUGH_LIFTS = 5
"""Steps well lifted after which success stays."""
ENOUGH_GRASPS = 5
MOVED = 0.03
NEAR = 0.10
CLOSEST_SLACK = 0.01
FALLEN, FALLEN_FAR = -0.02, -0.15
OPEN, CLOSED, STILL_OPEN = 0.15, 0.05, 0.05
FORCED_SWITCH = 100
"""Actions after which the apple's second instruction holds in any case."""


@dataclass(frozen=True)
class GoogleState:
    """What the rules and the experts look at. World frame, SI units, quaternions wxyz."""

    qpos: Floats
    """(11,) in upstream's order of joints."""
    tcp: Floats
    """(7,)"""
    things: Floats
    """(n, 7) poses of the things' origins."""
    centres: Floats
    """(n, 3) their centres of mass."""
    drawers: Floats
    """(3,) how far top, middle and bottom drawer are open; empty where there is a table."""
    grasped: bool = False
    """Both fingers push the first thing."""
    supported: bool = False
    """The first thing touches something that is not the robot."""
    in_drawer: bool = False
    """The first thing touches the bottom of the task's drawer."""


class GoogleJudge(ABC):
    """Watches one episode. Stages and measures have the names of upstream's `episode_stats`."""

    @abstractmethod
    def watch(self, state: GoogleState) -> Verdict:
        """Take in the state after an action."""


class PickJudge(GoogleJudge):
    """Lifted clear of everything but the robot, or often enough before."""

    def __init__(self, settled: GoogleState) -> None:
        """`settled` is the state before the first action."""
        self._height = settled.things[0, 2]
        self._grasps = self._lifts = 0
        self._lifted = self._held = self._ever_grasped = False

    def watch(self, state: GoogleState) -> Verdict:
        """A step without a grasp forgets the lift, before the lift is tested."""
        self._grasps = self._grasps + 1 if state.grasped else 0
        self._held |= self._grasps >= ENOUGH_GRASPS
        self._ever_grasped |= state.grasped
        height = state.things[0, 2] - self._height
        clear = not state.supported and height > LIFTED
        self._lifted = bool((self._lifted and state.grasped) or clear)
        self._lifts += bool(self._lifted and height > WELL_LIFTED)
        stages = {"grasped": self._ever_grasped, "consec_grasp": self._held}
        return Verdict(
            success=self._lifted or self._lifts >= ENOUGH_LIFTS,
            stages={**stages, "lifted_significantly": self._lifts > 0},
            measures={"n_lift_significant": float(self._lifts)},
        )


class NearJudge(GoogleJudge):
    """The source has moved most and lies nearest to the target, and nothing has fallen."""

    def __init__(self, settled: GoogleState, extents: Floats, source: int, target: int) -> None:
        """`extents` (n, 3) are the things' bounding boxes as they are modelled, metres."""
        self._settled, self._source, self._target = settled.things, source, target
        self._others = [i for i in range(len(extents)) if i not in (source, target)]
        turned = Rotation.from_quat(settled.things[:, 3:], scalar_first=True).apply(extents)
        halves = np.linalg.norm(turned[:, :2], axis=1) / 2  # edges may be negative (upstream)
        self._reach = float(halves[source] + halves[target]) + NEAR

    def watch(self, state: GoogleState) -> Verdict:
        """Centres of mass of source and target now; origins of all else. Nothing is latched."""
        source, others = self._source, self._others
        origins, settled = state.things[:, :3], self._settled[:, :3]
        pair = [source, self._target]
        fallen = origins[others, 2] - settled[others, 2]
        fallen_far = state.centres[pair, 2] - settled[pair, 2]
        moved = np.linalg.norm((settled - origins)[:, :2], axis=1)
        rest = np.delete(moved, source)
        here, there = state.centres[pair, :2]
        distance = float(np.linalg.norm(here - there))
        away = np.linalg.norm(np.delete(origins[:, :2], source, axis=0) - here, axis=1)
        needed = {
            "all_obj_keep_height": bool(
                (fallen > FALLEN).all() and (fallen_far > FALLEN_FAR).all()
            ),
            "moved_correct_obj": bool(moved[source] > MOVED and (rest < moved[source]).all()),
            "near_tgt_obj": distance < self._reach,
            "is_closest_to_tgt": bool((distance < away + CLOSEST_SLACK).all()),
        }
        wrong = bool(((rest > MOVED) & (rest > moved[source])).any())
        return Verdict(all(needed.values()), {**needed, "moved_wrong_obj": wrong})


class DrawerJudge(GoogleJudge):
    """The drawer is open far enough, or closed far enough. Nothing is remembered."""

    def __init__(self, drawer: str, opening: bool) -> None:
        """Which drawer; whether it is to be opened or closed."""
        self._drawer, self._opening = DRAWERS.index(drawer), opening

    def watch(self, state: GoogleState) -> Verdict:
        """As it stands now."""
        qpos = float(state.drawers[self._drawer])
        return Verdict(qpos >= OPEN if self._opening else qpos <= CLOSED, {}, {"qpos": qpos})


class PlaceJudge(GoogleJudge):
    """After the second instruction: the drawer is still open, and the apple once lay in it."""

    def __init__(self, drawer: str) -> None:
        """The drawer that is to be opened first."""
        self._drawer = DRAWERS.index(drawer)
        self.placing = False
        """The second instruction holds."""
        self._opened = False
        self._contacts = 0

    def watch(self, state: GoogleState) -> Verdict:
        """Contact counts from the start, before the second instruction too."""
        qpos = float(state.drawers[self._drawer])
        self._opened |= qpos >= OPEN
        self._contacts += state.in_drawer
        return Verdict(
            success=self.placing and qpos >= STILL_OPEN and self._contacts > 0,
            stages={"is_drawer_open": self._opened, "has_contact": self._contacts > 0},
            measures={"qpos": qpos},
        )


def judge(setup: GoogleSetup, settled: GoogleState, extents: Floats) -> GoogleJudge:
    """The judge of an episode that starts from `settled`."""
    if setup.rule == "pick":
        return PickJudge(settled)
    if setup.rule == "near":
        return NearJudge(settled, extents, setup.source, setup.target)
    if setup.rule == "place":
        return PlaceJudge(setup.drawer)
    return DrawerJudge(setup.drawer, setup.rule == "open")
