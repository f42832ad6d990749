"""The four play tables: which files they are made of and where their blocks are loaded.

Numbers are those of mees/calvin_env@797142c, `conf/scene/calvin_scene_*.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vlm4vla.core.errors import UnknownName

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Block:
    """A block and the pose it is loaded at, before a reset moves it."""

    name: str
    """`block_red`, `block_blue` or `block_pink`."""
    urdf: str
    """Below the folder of blocks."""
    position: Vector
    """Metres."""
    yaw: float
    """Radians."""
    half_extents: Vector
    """Metres, along the block's own axes."""


@dataclass(frozen=True)
class Scene:
    """One of CALVIN's environments; policies are trained on A, B and C and tested on D."""

    name: str
    table: str
    """URDF of the table, below the data folder."""
    blocks: tuple[Block, ...]
    """In upstream's order: body ids and `scene_obs` follow it."""


_HALF: Mapping[str, Vector] = {
    "small": (0.02, 0.02, 0.02),
    "middle": (0.028, 0.02, 0.02),
    "big": (0.04, 0.02, 0.02),
}
_PLACES: tuple[tuple[Vector, float], ...] = (
    ((0.05, -0.12, 0.46), 1.57),
    ((0.23, -0.12, 0.46), 0.0),
    ((0.10, 0.08, 0.46), 1.57),
)
"""`calvin_scene_D_eval.yaml`. Which pairs Bullet's broad phase meets first depends on them, so a
world is repeatable only if they are always the same; upstream draws them for the other scenes."""


def _scene(letter: str, blocks: Mapping[str, str]) -> Scene:
    return Scene(
        f"calvin_scene_{letter}",
        f"calvin_table_{letter}/urdf/calvin_table_{letter}.urdf",
        tuple(
            Block(f"block_{colour}", f"block_{colour}_{size}.urdf", position, yaw, _HALF[size])
            for (colour, size), (position, yaw) in zip(blocks.items(), _PLACES, strict=True)
        ),
    )


SCENES: Mapping[str, Scene] = {
    scene.name: scene
    for scene in (
        _scene("A", {"pink": "small", "blue": "big", "red": "middle"}),
        _scene("B", {"red": "small", "blue": "big", "pink": "middle"}),
        _scene("C", {"blue": "small", "red": "big", "pink": "middle"}),
        _scene("D", {"red": "middle", "blue": "small", "pink": "big"}),
    )
}


def scene(name: str) -> Scene:
    """The scene of that name; UnknownName if there is none."""
    if name not in SCENES:
        raise UnknownName("CALVIN scene", name, SCENES)
    return SCENES[name]
