"""What is still to be done for a goal, in numbers that an expert can act on.

A row of `aims` is one condition of the goal, in the order in which they are brought about:

    0 what (1 carry, 2 push)   1 whether it holds now
    carry: 2-4 where to close the fingers, 5 the angle of the line on which they close, 6-7 how far
        the thing is from its place (x, y), 8 how far above the surface there, 9 how much higher
        it must be to be carried, 10-11 the way into its place (unit vector, x and y), if that is
        open at the front alone, 12 by how much it must be turned to fit in
    push: 2-4 where to push, 5-7 the way to push (unit vector), 8 how far the hand leans that way

Metres and radians in the world, as they are at this moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.libero.shapes import across, boxes, family, grasp, handle, points
from vlm4vla.simulators.libero.words import CARRY, PUSH
from vlm4vla.simulators.libero.world import TaskWorld

WIDTH = 13
_ORDER = {"open": 0, "turnon": 1, "in": 2, "on": 2}
_CLEARANCE = 0.03
_APART = 0.04
"""How far from the middle of their place two things are put down, metres."""
_HANDLED = ("moka_pot", "chefmate")
_FRONT = "microwave"
_SIDES = (np.pi / 2, -np.pi / 2, np.pi, 0.0)
_DRAWN = _SIDES[2:] + _SIDES[:2]
_SLOT = 0.04
"""Half the width of what counts as a slot, metres."""
_OUT = 0.4
"""How much of the way from a drawer's middle to its front."""
_LEAN = 0.7
"""Radians by which the hand leans to push a drawer: its palm would meet the ones above."""


def aims(world: TaskWorld) -> Floats:
    """The conditions that an expert knows how to bring about, (N, WIDTH)."""
    conditions = sorted(
        world.env.parsed_problem["goal_state"], key=lambda each: _ORDER.get(each[0], 3)
    )
    rows = []
    for each in conditions:
        if each[0] in ("in", "on"):
            rows.append(_carry(world, each, [c[1] for c in conditions if c[2:] == each[2:]]))
        elif each[0] in ("turnon", "close"):
            rows.append(_push(world, each))
    return np.array(rows).reshape(-1, WIDTH)


def _carry(world: TaskWorld, condition: Sequence[str], company: list[str]) -> list[float]:
    """`company` are the things that go to the same place, this one among them."""
    _, thing, place = condition
    env = world.env
    surface = points(world.model, world.data, env.obj_body_id[thing])
    here = world.data.xpos[env.obj_body_id[thing]]
    bottom = float(surface[:, 2].min())
    there, floor, top = _place(world, place)
    if len(company) > 1 and condition[0] == "on":
        there[1] += _APART * (2 * company.index(thing) - 1)
    miss = there - here[:2]
    held = handle(surface) if thing.startswith(_HANDLED) else _grasp(world, surface, thing, place)
    return [
        CARRY, float(env._eval_predicate(condition)), *held, *miss,
        bottom - floor, top + _CLEARANCE - bottom, *_inwards(world, place),
        _turn(world, surface, place),
    ]  # fmt: skip


def _grasp(world: TaskWorld, surface: Floats, thing: str, place: str) -> Floats:
    """Where the hand has room; for a drawer, so that it fits in between front and back."""
    bodies = world.env.obj_body_id
    others = set().union(*(family(world.model, bodies[name]) for name in bodies if name != thing))
    sides = _DRAWN if _outwards(world, place).any() else _SIDES
    return grasp(surface, boxes(world.model, world.data, others), sides)


def _push(world: TaskWorld, condition: Sequence[str]) -> list[float]:
    """A drawer, a door or a knob, at its upper edge, farthest from its hinge."""
    env, model, data = world.env, world.model, world.data
    name = condition[1]
    owner = env.object_sites_dict.get(name) or env.get_object(name)
    joint = model.joint(owner.joints[0]).id
    surface = points(model, data, model.jnt_bodyid[joint])
    upper = surface[surface[:, 2] > surface[:, 2].max() - 0.03]
    axis, sign = data.xaxis[joint], -np.sign(data.qpos[model.jnt_qposadr[joint]])
    if condition[0] == "turnon":
        sign = 1.0
    slides = model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE
    if slides:
        way = axis * sign
        along = upper @ way
        place = upper[along < along.min() + 0.01].mean(0)
    else:
        arms = upper - data.xanchor[joint]
        far = np.argmax(np.linalg.norm(np.cross(axis, arms), axis=1) + 0.1 * arms[:, 0])
        place = data.xanchor[joint] + 0.85 * arms[far]
        way = np.cross(axis, arms[far]) * sign
        way /= np.linalg.norm(way)
    height = surface[:, 2].max() - 0.02
    done = float(env._eval_predicate(condition))
    return [PUSH, done, *place[:2], height, *way, _LEAN * slides, 0.0, 0.0, 0.0, 0.0]


def _place(world: TaskWorld, name: str) -> tuple[Floats, float, float]:
    """A place's middle (2,), the height of its surface, and of what stands around it."""
    env, data = world.env, world.data
    if name in env.object_sites_dict:
        site = world.model.site(name).id
        middle = data.site_xpos[site]
        half = np.abs(data.site_xmat[site].reshape(3, 3)) @ world.model.site_size[site]
        parent = env.object_sites_dict[name].__dict__.get("parent_name")
        around = middle[2] + half[2]
        if parent in env.obj_body_id:
            around = points(world.model, data, env.obj_body_id[parent])[:, 2].max()
        there = middle[:2] + _outwards(world, name) * half[:2]
        return there, float(middle[2] - half[2]), float(around)
    surface = points(world.model, data, env.obj_body_id[name])
    middle = data.xpos[env.obj_body_id[name]][:2].copy()
    inner = surface[np.linalg.norm(surface[:, :2] - middle, axis=1) < 0.05]
    floor = (inner if len(inner) else surface)[:, 2].max()
    return middle, float(floor), float(surface[:, 2].max())


def _inwards(world: TaskWorld, name: str) -> Floats:
    """From the front into a place with a roof, (2,); 0 for all others."""
    parent = getattr(world.env.object_sites_dict.get(name), "parent_name", None)
    if parent is None or not parent.startswith(_FRONT):
        return np.zeros(2)
    return np.array(world.data.xmat[world.env.obj_body_id[parent]].reshape(3, 3)[:2, 1])


def _turn(world: TaskWorld, surface: Floats, name: str) -> float:
    """From a thing's narrowest width to that of a slot for it, radians; 0 for other places."""
    if name not in world.env.object_sites_dict:
        return 0.0
    site = world.model.site(name).id
    half = world.data.site_xmat[site].reshape(3, 3) @ world.model.site_size[site]
    wide, long = sorted(np.abs(half[:2]))
    if wide > _SLOT or long < 2 * wide:
        return 0.0
    _, angle, _ = across(surface)
    slot = 0.0 if abs(half[0]) == wide else np.pi / 2
    return float((slot - angle + np.pi / 2) % np.pi - np.pi / 2)


def _outwards(world: TaskWorld, name: str) -> Floats:
    """Towards the front of an open drawer, (2,): the hand does not fit below what is above it."""
    site = world.env.object_sites_dict.get(name)
    for joint in (world.model.joint(each).id for each in getattr(site, "joints", None) or ()):
        if world.model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE:
            position = world.data.qpos[world.model.jnt_qposadr[joint]]
            return np.asarray(_OUT * np.sign(position) * world.data.xaxis[joint][:2])
    return np.zeros(2)
