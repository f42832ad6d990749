"""What the Google Robot tasks offer to the outside. Imports no simulator: listing costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vlm4vla.core.simulator import INSTRUCTED_AT
from vlm4vla.core.specs import ProprioPart, opening, orientation, position

CAMERA, HEIGHT, WIDTH = "overhead_camera", 512, 640
CONTROL_HZ = 3
MAX_STEPS = 200
"""Of the longest task."""
FINGERS_MEET = 1.0733
"""Radians at which the fingers touch; open they stand at 0."""

PROPRIO = (
    position("base"),
    orientation("quat_wxyz", "base"),
    ProprioPart("joints", 7, "rad"),
    opening(0.0, FINGERS_MEET, "rad"),
)
"""Of `link_gripper_tcp`; the opening is the mean angle of the fingers."""
PRIVILEGED = (
    "tcp", "base", "fingers", "things", "centres", "extents", "drawers", "rule", "source",
    "target", "drawer", "placing", "grasped", "success",
)  # fmt: skip
"""World frame, SI units, quaternions wxyz. `things` are poses (n, 7), as rows; `rule` is the index
in `RULES`, `drawer` in `DRAWERS` (-1: there is a table)."""
STAGES = (
    "grasped", "consec_grasp", "lifted_significantly", "all_obj_keep_height", "moved_correct_obj",
    "moved_wrong_obj", "near_tgt_obj", "is_closest_to_tgt", "is_drawer_open", "has_contact",
)  # fmt: skip
"""Upstream's `episode_stats`; an episode has those of its task."""
PARTS = ("horizontal", "vertical", "standing", "open", "close")
SETTINGS = (
    *(f"arm_colour_{number}" for number in range(4)),
    "base", "no_distractor", "distractors_less", "distractors_more", "background_1",
    "background_2", "lighting_darker", "lighting_brighter", "table_texture_1", "table_texture_2",
    "cabinet_1", "cabinet_2", "camera_1", "camera_2",
)  # fmt: skip
MEASURES = ("n_lift_significant", "qpos", INSTRUCTED_AT, "scored", *PARTS, *SETTINGS)
"""Upstream's numbers; the step from which the second instruction held; 1 where upstream averages
over the episode; and its success under the name of what part of a task it is (where it is scored)
and under that of its setting."""

DRAWERS = ("top", "middle", "bottom")
RULES = ("pick", "near", "open", "close", "place")
Rule = Literal["pick", "near", "open", "close", "place"]
Variant = Literal["matching", "aggregation", "core"]
ELSEWHERE: Mapping[Variant, tuple[str, ...]] = {
    "matching": ("alt_background", "modern_", "Baked_sc1", "frl_apartment", "models/apple/"),
    "core": ("alt_background", "modern_", "Baked_sc1"),
    "aggregation": (),
}
"""Variant -> what begins so, of stages and things, is of other variants' episodes."""


@dataclass(frozen=True)
class GoogleOptions:
    """How the tasks can be set up; part of comparability."""

    variant: Variant = "matching"
    """`matching`: photographs behind (visual matching); `aggregation`: changed scenes (variant
    aggregation); `core`: of these, the ones whose files are not among the largest upstream."""


@dataclass(frozen=True)
class GoogleSetup:
    """One episode as its suite describes it."""

    rule: Rule
    """Which of the five tasks it is."""
    x: float
    y: float
    yaw: float
    """Where the robot stands, metres and radians."""
    instructions: tuple[str, ...] = ("",)
    """What is to be done, and then; the apple alone has two."""
    part: str = ""
    """Which part of the task upstream states by itself: how the can lies, opening or closing."""
    setting: str = "base"
    """Which of upstream's settings it is played in: an arm's colour, a light, a stage."""
    scored: bool = True
    """Upstream averages over it; not over camera variants, which it runs all the same."""
    models: tuple[str, ...] = ()
    xy: tuple[tuple[float, ...], ...] = ()
    quats: tuple[tuple[float, ...], ...] = ()
    """Things: their models, and where and how turned (wxyz) they fall."""
    distractors: int = 0
    """How many of them, the last, are dropped one by one after the others have settled."""
    source: int = 0
    target: int = 0
    """Which thing is to be moved near which."""
    drawer: str = ""
    """Which drawer the task is about; without one there is a table."""
    station: str = "mk_station"
    """Which cabinet holds it."""
    stage: str = "google_pick_coke_can_1_v4"
    """What stands around; `dummy_drawer` is a white floor alone."""
    colour: str = ""
    """Version of the robot's textures; empty: the first."""
    photo: str = ""
    """What is seen behind robot, things and cabinet; empty: the stage."""
    light: str = "default"
    shiny: bool = True
    """The robot's surfaces reflect as upstream sets them by default."""
    arm: tuple[float, ...] = ()
    """Radians by which the arm's joints, from the torso's on, are off their start."""
    head_tilt: float | None = None
    """Radians, where the camera looks elsewhere than it does by default."""

    def measures(self, success: bool, instructed_at: int | None) -> dict[str, float | None]:
        """Those of `MEASURES` by which upstream's tables are made, as they stand with `success`."""
        found: dict[str, float | None] = {
            "scored": float(self.scored),
            self.setting: float(success),
        }
        if self.part and self.scored:
            found[self.part] = float(success)
        if instructed_at is not None:
            found[INSTRUCTED_AT] = float(instructed_at)
        return found
