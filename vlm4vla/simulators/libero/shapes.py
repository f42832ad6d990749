"""Where the surfaces of things are: points of their collision geometry."""

from __future__ import annotations

from itertools import product

import mujoco
import numpy as np

from vlm4vla.core.simulator import Floats

_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))
_ROUND = np.array([[np.cos(a), np.sin(a)] for a in np.arange(16) * np.pi / 8])
_WIDEST = 0.07
"""Across what the fingers fit with room to spare, metres; they open to 0.08."""


def points(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> Floats:
    """Points (N, 3) of what a body and all that hangs on it collide with, in the world."""
    parts = {body}
    for other in range(body + 1, model.nbody):  # parents come before their children
        if model.body_parentid[other] in parts:
            parts.add(other)
    found = [
        data.geom_xpos[geom] + _local(model, geom) @ data.geom_xmat[geom].reshape(3, 3).T
        for geom in range(model.ngeom)
        if model.geom_bodyid[geom] in parts
        and (model.geom_contype[geom] or model.geom_conaffinity[geom])
    ]
    return np.concatenate(found)


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


def grasp(surface: Floats) -> Floats:
    """Where the grip site should close, and the angle of the closing line: x, y, z, angle.

    Across the narrowest width, or astride the rim of what is too wide: to the side, where the hand
    need not turn.
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
    return np.array([middle[0], middle[1] + radius, high - 0.02, np.pi / 2])


def handle(surface: Floats) -> Floats:
    """The same for a thing that is held by what stands out farthest from its middle."""
    middle = np.median(surface[:, :2], axis=0)
    arms = surface[:, :2] - middle
    farthest = arms[np.argmax(np.linalg.norm(arms, axis=1))]
    outer = surface[arms @ farthest > 0.7 * (farthest @ farthest)]
    place = (outer.min(0) + outer.max(0)) / 2
    angle = float(np.arctan2(farthest[1], farthest[0])) + np.pi / 2
    return np.array([*place[:2], outer[:, 2].max() - 0.025, angle])
