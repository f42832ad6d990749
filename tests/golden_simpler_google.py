"""The Google Robot under upstream's recorded actions: what the checker of the golden traces drives.

python check_google.py golden_public.npz tests.golden_simpler_google:make
"""

from __future__ import annotations

import numpy as np

from vlm4vla.simulators.simpler.google.control import PathMemory
from vlm4vla.simulators.simpler.google.files import GoogleFiles
from vlm4vla.simulators.simpler.google.words import GoogleSetup
from vlm4vla.simulators.simpler.google.world import GooglePlace, GoogleWorld
from vlm4vla.suites.simpler_google import distractor_places

HALF = np.sqrt(0.5)
QUATS = {
    "lr_switch": (0.0, 0.0, 0.0, 1.0),
    "laid_vertically": (HALF, 0.0, 0.0, HALF),
    "upright": (HALF, HALF, 0.0, 0.0),
}
RULES = {
    "Grasp": "pick",
    "MoveNear": "near",
    "PlaceInto": "place",
    "Open": "open",
    "Close": "close",
}
XY = (((-0.33, 0.04), (-0.33, 0.34), (-0.13, 0.19)), ((-0.13, 0.04), (-0.33, 0.19), (-0.13, 0.34)))


def setup_of(meta: dict) -> GoogleSetup:
    """A recorded trace's environment as an episode's setup."""
    rule = next(of for start, of in RULES.items() if meta["env"].startswith(start))
    names, kwargs = tuple(meta["obj_names"]), meta["env_kwargs"]
    xy = ((0.0, 0.0),) * len(names)
    quats = ((1.0, 0.0, 0.0, 0.0),) * len(names)
    source = target = 0
    if rule == "near":
        xy = XY[meta["obj_init_options"]["episode_id"] % 12 // 6]
        quats = tuple(
            (0.5, 0.5, 0.5, 0.5)
            if "bottle" in n
            else QUATS["upright"]
            if "can" in n
            else (1.0, 0, 0, 0)
            if "apple" in n
            else QUATS["laid_vertically"]
            for n in names
        )
        source, target = names.index(meta["src"]), names.index(meta["tgt"])
    elif names:
        can = meta["obj_init_options"]["init_xy"]
        xy = tuple(map(tuple, (can, *distractor_places(can, len(names) - 1))))
        turned = next((q for name, q in QUATS.items() if kwargs.get(name)), (1.0, 0.0, 0.0, 0.0))
        quats = (turned,) * len(names)
    drawer = next((d for d in ("top", "middle", "bottom") if d in meta["env"].lower()), "")
    return GoogleSetup(
        rule, *meta["robot_xy"], meta["robot_yaw"], tuple(meta["instructions"]),
        models=names, xy=xy, quats=quats,
        source=source, target=target, drawer=drawer,
        station=kwargs.get("station_name", "mk_station"), stage=meta["scene"],
        distractors=len(names) - 1 if rule == "pick" else 0,
        colour="" if (kwargs.get("urdf_version") or "None") == "None" else kwargs["urdf_version"],
        shiny=not kwargs.get("disable_bad_material", False),
        light=kwargs.get("light_mode") or "default",
    )  # fmt: skip


class Replayed:
    """What the checker asks of an environment."""

    def reset(self, meta, init):
        place = None
        if init is not None:
            drawers = np.zeros(0) if init["cab_qpos"] is None else init["cab_qpos"]
            place = GooglePlace(init["qpos"], init["obj"], drawers)
        self.world = GoogleWorld(setup_of(meta), GoogleFiles(), place)
        self.names = meta["obj_names"]
        return self.seen()

    def step(self, action, advance):
        if advance:
            self.world.move_on()
        verdict = self.world.step(action)
        return {**self.seen(), "success": verdict.success, "instruction": self.world.instruction}

    def set_row(self, row):
        drawers = np.zeros(0) if row["cab_qpos"] is None else row["cab_qpos"]
        things = np.reshape(row["obj"], (-1, 7))
        self.world.put(GooglePlace(
            row["qpos"], things, drawers, row["qvel"], np.reshape(row["obj_vel"], (-1, 6)),
            row["cab_qvel"],
        ))  # fmt: skip
        planner = row["planner"]
        self.world.controller.memory = planner and PathMemory(
            planner["path_end"], planner["path_end_vel"], planner["grip_target"],
            planner["grip_end"],
        )  # fmt: skip

    def seen(self):
        state = self.world.state()
        return {
            "qpos": state.qpos, "tcp": state.tcp,
            "obj": dict(zip(self.names, state.things, strict=True)),
            "cab_qpos": state.drawers if len(state.drawers) else None,
        }  # fmt: skip


def make() -> Replayed:
    """A fresh environment."""
    return Replayed()
