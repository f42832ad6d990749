"""Where the files of an episode are, and what upstream's model files say of a thing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy as np

from vlm4vla.core.assets import hold
from vlm4vla.core.errors import MissingAsset
from vlm4vla.simulators.simpler.google.words import ELSEWHERE, Variant
from vlm4vla.simulators.simpler.physics import ObjectModel

ENVIRONMENT = "simpler_google"
_ROBOT = "google_robot_meta_sim_fix_wheel_fix_fingertip"
_DATABASES = ("v0", "baked_tex_v0", "baked_tex_v1")
"""They agree on every thing that several of them name."""
_FRUIT = ("apple", "baked_apple", "baked_apple_v2", "orange")
_LIGHT_FRUIT = 200.0
"""Density in move near, kg/m3; the model files' is 800."""
_STAGES = "hab2_bench_assets/stages"
_LOOKS = ("obj", "dae", "glb")
"""Upstream takes the first that a thing has."""


class _Model(TypedDict):
    """A thing in upstream's model files; what else they say matters to other tasks."""

    density: float
    bbox: Mapping[str, Sequence[float]]


class GoogleFiles:
    """Upstream's data and the robot, as they are on this machine."""

    def __init__(self) -> None:
        """Raises MissingAsset where there is nothing at all."""
        self._data, self._robot = hold(ENVIRONMENT, "real2sim"), hold(ENVIRONMENT, "robot")

    def robot(self, colour: str) -> Path:
        """The robot's URDF in that version of its textures. All of these raise MissingAsset."""
        return self._robot.path(f"{_ROBOT}{'_' * bool(colour)}{colour}.urdf")

    def cabinet(self, station: str) -> Path:
        """A cabinet's URDF."""
        return self._data.path(f"custom/{station}.urdf")

    def stage(self, name: str) -> Path:
        """The mesh of what stands around."""
        return self._data.path(f"{_STAGES}/{name}.glb")

    def photo(self, name: str) -> Path:
        """What replaces the background."""
        return self._data.path(f"real_inpainting/{name}.png")

    def looks(self, model: str) -> Path:
        """A thing's mesh to look at."""
        names = (f"custom/models/{model}/textured.{kind}" for kind in _LOOKS)
        return self._data.path(next(n for n in names if n in self._data.asset.files))

    def model(self, name: str, light_fruit: bool) -> ObjectModel:
        """A thing; `light_fruit`: apples and oranges weigh what they do in move near."""
        known = self._models[name]
        density = _LIGHT_FRUIT if light_fruit and name in _FRUIT else known["density"]
        x, y, z = np.subtract(known["bbox"]["max"], known["bbox"]["min"])
        collision = self._data.path(f"custom/models/{name}/collision.obj")
        return ObjectModel(name, collision, density, (x, y, z))

    def facts(self, variant: Variant) -> Mapping[str, str]:
        """What stands in for a file that the variant's episodes need.

        Raises MissingAsset, naming every stage that is absent.
        """
        needed = [
            name
            for name in self._data.asset.files
            if not any(other in name for other in ELSEWHERE[variant])
        ]
        absent = []
        for name in needed:
            try:
                self._data.path(name)
            except MissingAsset:
                absent.append(name)
        if absent:
            fix = "bench env install simpler_google"
            if variant == "aggregation":
                fix += ", or leave their settings out: --set variant=core"
            raise MissingAsset(f"'{ENVIRONMENT}' lacks {', '.join(absent)}.", fix)
        return {**self._data.facts(needed), **self._robot.facts()}

    @cached_property
    def _models(self) -> Mapping[str, _Model]:
        found: dict[str, _Model] = {}
        for name in _DATABASES:
            path = self._data.path(f"custom/info_pick_custom_{name}.json")
            found.update(json.loads(path.read_text(encoding="utf-8")))
        return found
