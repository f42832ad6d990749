"""The four play tables: which files they are made of and where their blocks are loaded.

Numbers are those of mees/calvin_env@797142c, `conf/scene/calvin_scene_*.yaml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.errors import UnknownName
from vlm4vla.core.formats import read_fields
from vlm4vla.core.specs import Vector3


@dataclass(frozen=True)
class Block:
    """A block and the pose it is loaded at, before a reset moves it."""

    name: str
    """`block_red`, `block_blue` or `block_pink`."""
    urdf: str
    """Below the folder of blocks."""
    position: Vector3
    """Metres."""
    yaw: float
    """Radians."""
    half_extents: Vector3
    """Metres, along the block's own axes."""


@dataclass(frozen=True)
class Scene:
    """One of CALVIN's environments; policies are trained on A, B and C and tested on D."""

    name: str
    table: str
    """URDF of the table, below the data folder."""
    blocks: tuple[Block, ...]
    """In upstream's order: body ids and `scene_obs` follow it."""


_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
SCENES = {name: read_fields(Scene, {"name": name, **of}, name) for name, of in _TABLE.items()}


def scene(name: str) -> Scene:
    """The scene of that name; UnknownName if there is none."""
    UnknownName.check("CALVIN scene", [name], SCENES)
    return SCENES[name]
