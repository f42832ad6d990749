"""When is the source on the target? Upstream's rules, as arithmetic on states.

They mix origins and centres of mass, and turn bounding boxes with the settled pose without
bounding them anew, so that edges can be negative: as upstream has it
(`custom_scenes/put_on_in_scene.py`, `move_near_in_scene.py`). Success asks neither for release nor
for contact with the target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.bridge.protocol import BridgeTask
from vlm4vla.simulators.simpler.simulator import Verdict

MOVED = 0.03
"""Metres along the table from which a thing has been moved."""
BESIDE = 0.003
"""Metres that the source may lie beyond the target's half diagonal."""
HELD = 5
"""Steps in a row that a grasp must last to count as one."""


@dataclass(frozen=True)
class BridgeState:
    """What the rules look at. World frame, metres."""

    source: Floats
    """(7,) pose of its origin."""
    target: Floats
    source_centre: Floats
    """(3,) centre of mass."""
    target_centre: Floats
    grasped: bool = False
    touches_other: bool = False
    """The source presses against something that is neither target nor robot."""


class BridgeJudge:
    """Watches one episode."""

    def __init__(
        self, task: BridgeTask, settled: BridgeState, source_extent: Floats, target_extent: Floats
    ) -> None:
        """`settled` is how things lie at the start; extents (3,) are in the things' own frames."""
        self._task, self._settled = task, settled
        self.source_extent = _turned(settled.source, source_extent)
        self.target_extent = _turned(settled.target, target_extent)
        self._held = 0
        self._grasped = self._kept = False

    def watch(self, now: BridgeState) -> Verdict:
        """Take in the state after a control step."""
        self._held = self._held + 1 if now.grasped else 0
        self._grasped |= now.grasped
        self._kept |= self._held >= HELD
        # Upstream compares the source's centre of mass now with where its origin settled.
        source = float(np.linalg.norm(now.source_centre[:2] - self._settled.source[:2]))
        target = float(np.linalg.norm(now.target[:2] - self._settled.target[:2]))
        success = self._on_target(now)
        stages = {
            "is_src_obj_grasped": self._grasped,
            "consecutive_grasp": self._kept,
            "moved_correct_obj": MOVED < source > target,
            "moved_wrong_obj": MOVED < target > source,
            "src_on_target": success,
        }
        return Verdict(success, stages)

    def _on_target(self, now: BridgeState) -> bool:
        offset = now.source_centre - now.target_centre
        reach = float(np.linalg.norm(self.target_extent[:2])) / 2 + BESIDE
        lying = (self.target_extent[2] + self.source_extent[2]) / 2
        return bool(
            np.linalg.norm(offset[:2]) <= reach
            and 0 < offset[2] <= lying + self._task.margin
            and not (self._task.alone and now.touches_other)
        )


def _turned(pose: Floats, extent: Floats) -> Floats:
    turned: Floats = rotation.to_matrix(pose[3:], "quat_wxyz") @ extent
    return turned
