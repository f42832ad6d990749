"""Where the surfaces of things are: points of their collision geometry."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product

import mujoco
import numpy as np

from vlm4vla.core.simulator import Floats

_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))
_ROUND = np.array([[np.cos(a), np.sin(a)] for a in np.arange(16) * np.pi / 8])
_HAND = ((0.07, 0.015, 0.0, 0.05), (0.105, 0.035, 0.055, 0.15))
"""Fingers and palm: half their breadth along the closing line and across it, and from where to
where they reach above the grip, metres."""
_WIDEST = 0.07
"""Across what the fingers fit with room to spare, metres; they open to 0.08."""


def points(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> Floats:
    """Points (N, 3) of what a body and all that hangs on it collide with, in the world."""
    found = [_placed(model, data, geom) for geom in _solid(model, family(model, body))]
    return np.concatenate(found)


def family(model: mujoco.MjModel, body: int) -> set[int]:
    """A body and all that hangs on it."""
    parts = {body}
    for other in range(body + 1, model.nbody):  # parents come before their children
        if model.body_parentid[other] in parts:
            parts.add(other)
    return parts


def _solid(model: mujoco.MjModel, bodies: Collection[int]) -> list[int]:
    """What these bodies collide with."""
    return [
        geom
        for geom in range(model.ngeom)
        if model.geom_bodyid[geom] in bodies
        and (model.geom_contype[geom] or model.geom_conaffinity[geom])
    ]


def _placed(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> Floats:
    """The points of one geom in the world."""
    local = _local(model, geom)
    return np.asarray(data.geom_xpos[geom] + local @ data.geom_xmat[geom].reshape(3, 3).T)


def _local(model: mujoco.MjModel, geom: int) -> Floats:
    """The points of one geom in its own frame."""
    kind, size = model.geom_type[geom], model.geom_size[geom]
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        return np.asarray(model.mesh_vert[start : start + model.mesh_vertnum[mesh]], np.float64)
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        return np.array([[*(size[0] * xy), z] for xy in _ROUND for z in (-size[1], size[1])])
    reach = size if kind == mujoco.mjtGeom.mjGEOM_BOX else np.full(3, size[0])
    return np.asarray(_CORNERS * reach, np.float64)


def across(surface: Floats) -> tuple[Floats, float, float]:
    """The narrowest way across a thing from above: its middle (2,), the angle, the width."""
    angles = np.arange(36) * np.pi / 36
    axes = np.stack([np.cos(angles), np.sin(angles)], -1)
    along = surface[:, :2] @ axes.T
    low, high = along.min(0), along.max(0)
    best = int(np.argmin(high - low))
    other = (best + 18) % 36
    middle = axes[best] * (low + high)[best] / 2 + axes[other] * (low + high)[other] / 2
    return middle, float(angles[best]), float((high - low)[best])


def grasp(surface: Floats, others: Floats, sides: Sequence[float]) -> Floats:
    """Where the grip site should close, and the angle of the closing line: x, y, z, angle.

    Across the narrowest width, or astride the rim of what is too wide: on the first of these
    `sides` (radians) on which the hand has room among `others` (N, 2, 3).
    """
    low, high = surface[:, 2].min(), surface[:, 2].max()
    upper = surface[surface[:, 2] > high - 0.04]
    middle, angle, width = across(upper)
    height = max(high - 0.035, low + 0.008)
    if width <= _WIDEST:
        return np.array([*middle, height, angle])
    rim = surface[surface[:, 2] > high - 0.01]
    middle = (rim[:, :2].min(0) + rim[:, :2].max(0)) / 2
    radius = np.median(np.linalg.norm(rim[:, :2] - middle, axis=1))
    ways = [np.array([np.cos(side), np.sin(side)]) for side in sides]
    rims = [np.array([*(middle + radius * way), high - 0.02]) for way in ways]
    free = (n for n, way in enumerate(ways) if _room(rims[n], way, others))
    best = next(free, 0)
    return np.array([*rims[best], sides[best]])


def boxes(model: mujoco.MjModel, data: mujoco.MjData, bodies: Collection[int]) -> Floats:
    """The boxes (N, 2, 3), least and greatest, around the parts of these bodies."""
    found = [_placed(model, data, geom) for geom in _solid(model, bodies)]
    return np.array([[part.min(0), part.max(0)] for part in found]).reshape(-1, 2, 3)


def _room(grip: Floats, way: Floats, others: Floats) -> bool:
    """Whether open fingers and the palm, wide along `way`, touch none of the boxes."""
    for along, across_, low, high in _HAND:
        side = along * np.abs(way) + across_ * np.abs(way[::-1])
        least, greatest = grip + np.array([*-side, low]), grip + np.array([*side, high])
        if np.any(np.all((others[:, 0] < greatest) & (others[:, 1] > least), axis=1)):
            return False
    return True


def handle(surface: Floats) -> Floats:
    """The same for a thing that is held by what stands out farthest from its middle."""
    middle = np.median(surface[:, :2], axis=0)
    arms = surface[:, :2] - middle
    farthest = arms[np.argmax(np.linalg.norm(arms, axis=1))]
    outer = surface[arms @ farthest > 0.7 * (farthest @ farthest)]
    place = (outer.min(0) + outer.max(0)) / 2
    angle = float(np.arctan2(farthest[1], farthest[0])) + np.pi / 2
    return np.array([*place[:2], outer[:, 2].max() - 0.025, angle])
