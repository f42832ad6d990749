"""Episodes of SimplerEnv's Google Robot tasks, as its scripts run them.

`variant` is an option, since it says which files are needed: `matching` lays a photograph behind
everything and plays each episode with four colours of the arm (visual matching, 864 episodes);
`aggregation` changes lights, stages, distractors, cabinets and cameras (variant aggregation, 1,992
episodes, of which 1,722 are scored); `core` leaves out of it the stages whose files are the largest
(1,290, of which 1,020 are scored).

`simpler_google_jitter` and `_altered` are ours (`simpler_perturbed`): the episodes of visual
matching, each drawn anew. Where nothing lies about, before a cabinet, the arm begins off its start
in a jitter too: the robot cannot stand elsewhere than the photograph was taken from.

Numbers: SimplerEnv@4ab7178, scripts/rt1_*.sh; ManiSkill2_real2sim@ef7a4d4, envs/custom_scenes. SI
units, radians, quaternions wxyz.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Literal, cast

import numpy as np

from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.errors import OutOfRange
from vlm4vla.core.options import read
from vlm4vla.suites.simpler_perturbed import SHIFT, TURN, Poses, Uniform, arm, generator

Setup = Mapping[str, JSON]
"""What a setting or a cell of a grid says of an episode, in the simulator's words."""


@dataclass(frozen=True)
class _Setting:
    """One of the ways in which a task's grid is played."""

    name: str
    setup: Setup = field(default_factory=dict)
    scored: bool = True
    core: bool = True
    distractors: tuple[str, ...] = ()
    alone: bool = False
    """Without the third thing of a triplet."""


@dataclass(frozen=True)
class GoogleEpisodes:
    """Which episodes a suite has, beside what the variant says."""

    poses: Poses = "grid"
    seed: int = 0


@dataclass(frozen=True)
class _Options:
    variant: Literal["matching", "aggregation", "core"] = "matching"


Pair = tuple[float, float]

POSES = 100
"""More than a task's grid has cells: inits that are equal modulo it begin at one pose."""
_COLOURS = (
    "",
    "recolor_tabletop_visual_matching_1",
    "recolor_tabletop_visual_matching_2",
    "recolor_cabinet_visual_matching_1",
)
_MATCHING = tuple(
    _Setting(f"arm_colour_{number}", {"colour": colour}) for number, colour in enumerate(_COLOURS)
)


def _stages(kind: str, *names: str) -> tuple[_Setting, ...]:
    numbered = enumerate(names, 1)
    return tuple(_Setting(f"{kind}_{n}", {"stage": name}, core=False) for n, name in numbered)


_TABLE = (
    _Setting("base"),
    *_stages(
        "background",
        "google_pick_coke_can_1_v4_alt_background",
        "google_pick_coke_can_1_v4_alt_background_2",
    ),
    _Setting("lighting_darker", {"light": "slightly_darker"}),
    _Setting("lighting_brighter", {"light": "slightly_brighter"}),
    *_stages(
        "table_texture",
        "Baked_sc1_staging_objaverse_cabinet1_h870",
        "Baked_sc1_staging_objaverse_cabinet2_h870",
    ),
    _Setting("camera_1", {"head_tilt": 0.9351361}, scored=False),
    _Setting("camera_2", {"head_tilt": 0.6651361}, scored=False),
)
_LESS = ("opened_pepsi_can", "apple", "sponge", "orange")
_MORE = (
    "opened_7up_can", "opened_sprite_can", "sponge", "orange", "opened_fanta_can",
    "bridge_spoon_generated_modified",
)  # fmt: skip
_CAN_SETTINGS = (
    *_TABLE,
    _Setting("distractors_less", distractors=_LESS),
    _Setting("distractors_more", distractors=_MORE),
)
_NEAR_SETTINGS = (*_TABLE, _Setting("no_distractor", alone=True))
_ROOM: Setup = {"stage": "frl_apartment_stage_simple"}
_CABINET_SETTINGS = (
    _Setting("base", _ROOM),
    *_stages("background", "modern_bedroom_no_roof", "modern_office_no_roof"),
    *(_Setting(f"lighting_{light}", {**_ROOM, "light": light}) for light in ("darker", "brighter")),
    *(_Setting(f"cabinet_{n}", {**_ROOM, "station": f"mk_station{n + 1}"}) for n in (1, 2)),
)
_CABINET_MATCHED: Setup = {
    "stage": "dummy_drawer", "station": "mk_station_recolor", "light": "simple", "shiny": False,
}  # fmt: skip

_QUARTER = math.sqrt(0.5)
_UPRIGHT, _ACROSS = [_QUARTER, _QUARTER, 0.0, 0.0], [_QUARTER, 0.0, 0.0, _QUARTER]
_ORIENTATIONS = {"horizontal": [0.0, 0.0, 0.0, 1.0], "vertical": _ACROSS, "standing": _UPRIGHT}
_CAN_X, _CAN_Y = (-0.35, -0.2925, -0.235, -0.1775, -0.12), (-0.02, 0.09, 0.20, 0.31, 0.42)
_DISTRACTOR_SEED = 40194941
"""Every fresh environment of upstream's draws with it: a layout is a function of the can's cell."""

_TRIPLETS = (
    ("blue_plastic_bottle", "pepsi_can", "orange"),
    ("7up_can", "apple", "sponge"),
    ("coke_can", "redbull_can", "apple"),
    ("sponge", "blue_plastic_bottle", "7up_can"),
    ("orange", "pepsi_can", "redbull_can"),
)
_PLACES = (
    ([-0.33, 0.04], [-0.33, 0.34], [-0.13, 0.19]),
    ([-0.13, 0.04], [-0.33, 0.19], [-0.13, 0.34]),
)
_PAIRS = ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))
_BAKED = ("apple", "sponge")
"""Things besides cans whose lights are painted on for visual matching."""
_TURNED = {
    "blue_plastic_bottle": [0.5, 0.5, 0.5, 0.5], "orange": _ACROSS, "sponge": _ACROSS,
    "apple": [1.0, 0.0, 0.0, 0.0],
}  # fmt: skip

_POSES = {
    "a0": (0.644, -0.179, -0.03), "a1": (0.765, -0.182, -0.02), "a2": (0.889, -0.203, -0.06),
    "b0": (0.652, 0.009, 0.0), "b1": (0.752, 0.009, 0.0), "b2": (0.851, 0.035, 0.0),
    "c0": (0.665, 0.224, 0.0), "c1": (0.765, 0.222, -0.025), "c2": (0.865, 0.222, -0.025),
}  # fmt: skip
"""Where the robot stood before the cabinet when the photographs were taken: x, y, yaw."""
_DRAWERS = ("top", "middle", "bottom")
_APPLE_XY = tuple(product((-0.08, -0.05, -0.02), (-0.02, 0.03, 0.08)))


_BOUNDS: Mapping[str, tuple[Pair, Pair]] = {
    "pick_coke_can": ((_CAN_X[0], _CAN_X[-1]), (_CAN_Y[0], _CAN_Y[-1])),
    "move_near": ((-0.33, -0.13), (0.04, 0.34)),
    "place_apple_in_drawer": ((-0.08, -0.02), (-0.02, 0.08)),
}
"""Of x and y, within which the grids have their things."""
_APART = 0.15
"""Metres between the middles of things; upstream's own lie 0.25 apart and more."""
_JOINTS = 7

Cells = Callable[[_Setting, bool], Iterator[Setup]]
"""The grid of a task under a setting, for visual matching or not."""


@dataclass(frozen=True)
class _Task:
    name: str
    max_steps: int
    settings: tuple[_Setting, ...]
    """Of variant aggregation."""
    cells: Cells


def _can(setting: _Setting, matching: bool) -> Iterator[Setup]:
    count = len(setting.distractors)
    for (way, quat), *cell in product(_ORIENTATIONS.items(), _CAN_X, _CAN_Y):
        yield {
            "rule": "pick",
            "part": way,
            "instructions": ["pick coke can"],
            **_standing(0.35, 0.20, 0.0),
            "models": ["opened_coke_can", *setting.distractors],
            "xy": [cell, *distractor_places(cell, count)],
            "quats": [quat] * (1 + count),
            "distractors": count,
            "photo": "google_coke_can_real_eval_1" if matching else "",
        }


def distractor_places(can: Sequence[float], count: int) -> list[list[float]]:
    """Drawn around the can, clipped to the table, and again until far enough from it (upstream)."""
    draw = np.random.RandomState(_DISTRACTOR_SEED)
    places: list[list[float]] = []
    while len(places) < count:
        place = np.clip(can + draw.uniform(-0.3, 0.3, 2), (-0.50, 0.05), (-0.10, 0.35))
        if np.linalg.norm(place - can) > 0.25:
            places.append(place.tolist())
    return places


def _near(setting: _Setting, matching: bool) -> Iterator[Setup]:
    """Upstream's episode ids in order."""
    for triplet, places, pair in product(_TRIPLETS, _PLACES, _PAIRS):
        kept = pair if setting.alone else (0, 1, 2)
        source, target = (triplet[i].replace("_", " ") for i in pair)
        yield {
            "rule": "near",
            "instructions": [f"move {source} near {target}"],
            **_standing(0.35, 0.21, -0.09),
            "models": [_model(triplet[i], matching) for i in kept],
            "xy": [places[i] for i in kept],
            "quats": [_TURNED.get(triplet[i], _UPRIGHT) for i in kept],
            "source": kept.index(pair[0]),
            "target": kept.index(pair[1]),
            "photo": "google_move_near_real_eval_1" if matching else "",
        }


def _model(name: str, matching: bool) -> str:
    can = name.endswith("can")
    baked = "baked_" if matching and (can or name in _BAKED) else ""
    return f"{baked}{'opened_' if can else ''}{name}"


def _drawer(setting: _Setting, matching: bool) -> Iterator[Setup]:
    unmatched = [("", (x, y, 0.0)) for x, y in product((0.65, 0.75, 0.85), (-0.2, 0.0, 0.2))]
    poses = list(_POSES.items()) if matching else unmatched
    for rule, drawer, (photo, pose) in product(("open", "close"), _DRAWERS, poses):
        said = [f"{rule} {drawer} drawer"]
        cabinet = _cabinet(photo, pose, drawer)
        yield {**cabinet, "rule": rule, "part": rule, "instructions": said}


def _apple(setting: _Setting, matching: bool) -> Iterator[Setup]:
    matched = [(photo, _POSES[photo]) for photo in ("a0", "b0", "c0")]
    unmatched = [("", (0.65, y, 0.0)) for y in (-0.2, 0.0, 0.2)]
    for (photo, pose), place in product(matched if matching else unmatched, _APPLE_XY):
        yield {
            **_cabinet(photo, pose, "top"),
            "rule": "place",
            "instructions": ["open top drawer", "place apple into top drawer"],
            "models": ["baked_apple_v2" if matching else "apple"],
            "xy": [list(place)],
            "quats": [[1.0, 0.0, 0.0, 0.0]],
        }


def _cabinet(photo: str, pose: tuple[float, float, float], drawer: str) -> Setup:
    """A robot before the cabinet; with a photograph, the cabinet is coloured as in it."""
    matched = {**_CABINET_MATCHED, "photo": f"open_drawer_{photo}"} if photo else {}
    return {**_standing(*pose), "drawer": drawer, **matched}


def _standing(x: float, y: float, yaw: float) -> Setup:
    return {"x": x, "y": y, "yaw": yaw}


TASKS = (
    _Task("pick_coke_can", 80, _CAN_SETTINGS, _can),
    _Task("move_near", 80, _NEAR_SETTINGS, _near),
    _Task("drawer", 113, _CABINET_SETTINGS, _drawer),
    _Task("place_apple_in_drawer", 200, _CABINET_SETTINGS, _apple),
)
"""The columns of upstream's tables, whose mean is a policy's score. Within each, all orientations,
drawers and scored settings have as many episodes, so that upstream's means of means are plain."""


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """Every episode of the option `variant`: of each task, setting by setting, the whole grid.

    Init 207 is cell 7 of the grid in the third setting.
    """
    asked = read(GoogleEpisodes, arguments, f"the episodes of suite '{suite}'")
    chosen = {name: value for name, value in options.items() if name == "variant"}
    variant = read(_Options, chosen, f"suite '{suite}'").variant
    matching = variant == "matching"
    if (asked.poses == "grid" and asked.seed) or not (matching or asked.poses == "grid"):
        raise OutOfRange(
            f"Suite '{suite}': the grid is drawn from no seed, and other poses are of `matching`.",
            "Leave `seed`, or `poses`, out of the suite file.",
        )
    made = []
    for task in TASKS:
        settings = _MATCHING if matching else task.settings
        for number, setting in enumerate(settings):
            if variant == "core" and not setting.core:
                continue
            of_setting: Setup = {"setting": setting.name, "scored": setting.scored}
            for cell, grid in enumerate(task.cells(setting, matching)):
                key = EpisodeKey(suite, task.name, POSES * number + cell)
                if asked.poses != "grid":
                    grid = _perturbed(asked, key, grid)
                setup = {**of_setting, **grid, **setting.setup}
                first = cast(Sequence[str], setup["instructions"])[0]
                made.append(Episode(key, first, task.max_steps, setup))
    return made


def _perturbed(asked: GoogleEpisodes, key: EpisodeKey, grid: Setup) -> Setup:
    between = generator(f"simpler_google/{asked.poses}/{asked.seed}/{key.task}/{key.init}")
    altered, setup = asked.poses == "altered", dict(grid)
    shift, turn = (0.0, math.pi) if altered else (SHIFT, TURN)
    if "xy" in grid:
        places = cast(Sequence[Sequence[float]], grid["xy"])
        if altered:
            places = _anywhere(key.task, len(places), between)
        quats = cast(Sequence[Sequence[float]], grid["quats"])
        setup["xy"] = [[round(v + between(-shift, shift), 6) for v in place] for place in places]
        setup["quats"] = [_yawed(quat, between(-turn, turn)) for quat in quats]
    if altered or "xy" not in grid:
        setup["arm"] = list[JSON](arm(between, _JOINTS))
    return setup


def _anywhere(task: str, count: int, between: Uniform) -> list[Pair]:
    """So many places within the bounds of the task's grid, and apart."""
    xs, ys = _BOUNDS[task]
    while True:
        places = [(between(*xs), between(*ys)) for _ in range(count)]
        if all(math.dist(one, other) >= _APART for one, other in combinations(places, 2)):
            return places


def _yawed(quat: Sequence[float], yaw: float) -> list[float]:
    """A quaternion wxyz turned about the vertical."""
    (w, x, y, z), c, s = quat, math.cos(yaw / 2), math.sin(yaw / 2)
    turned = (c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w)
    return [round(value, 8) for value in turned]
