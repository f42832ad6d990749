"""What is still to be done for a goal, in numbers that an expert can act on.

A row of `aims` is one condition of the goal, in the order in which they are brought about:

    0 what (1 carry, 2 push)   1 whether it holds now
    carry: 2-4 where to close the fingers, 5 the angle of the line on which they close, 6-7 how far
        the thing is from its place (x, y), 8 how far above the surface there, 9 how much higher
        it must be to be carried
    push: 2-4 where to push, 5-7 the way to push (unit vector)

Metres and radians in the world, as they are at this moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.libero.shapes import grasp, points
from vlm4vla.simulators.libero.world import TaskWorld

CARRY, PUSH = 1.0, 2.0
WIDTH = 10
_ORDER = {"open": 0, "turnon": 1, "in": 2, "on": 2}
_CLEARANCE = 0.03


def aims(world: TaskWorld) -> Floats:
    """The conditions that an expert knows how to bring about, (N, WIDTH)."""
    conditions = sorted(
        world.env.parsed_problem["goal_state"], key=lambda each: _ORDER.get(each[0], 3)
    )
    rows = [_carry(world, each) for each in conditions if each[0] in ("in", "on")]
    return np.array(rows).reshape(-1, WIDTH)


def _carry(world: TaskWorld, condition: Sequence[str]) -> list[float]:
    _, thing, place = condition
    env = world.env
    surface = points(world.model, world.data, env.obj_body_id[thing])
    here = world.data.xpos[env.obj_body_id[thing]]
    bottom = float(surface[:, 2].min())
    there, floor, top = _place(world, place)
    miss = there - here[:2]
    return [
        CARRY, float(env._eval_predicate(condition)), *grasp(surface), *miss,
        bottom - floor, top + _CLEARANCE - bottom,
    ]  # fmt: skip


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
        return middle[:2].copy(), float(middle[2] - half[2]), float(around)
    surface = points(world.model, data, env.obj_body_id[name])
    middle = data.xpos[env.obj_body_id[name]][:2].copy()
    inner = surface[np.linalg.norm(surface[:, :2] - middle, axis=1) < 0.05]
    floor = (inner if len(inner) else surface)[:, 2].max()
    return middle, float(floor), float(surface[:, 2].max())
