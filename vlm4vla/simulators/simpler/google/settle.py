"""How distractors come to lie beside the can (upstream's `GraspSingleInSceneEnv`)."""

from __future__ import annotations

from collections.abc import Sequence

import sapien

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.physics import Body, PhysicsSettings, calm_down, run

_STRAIGHT, _FREE = [True, True, False, True, True, False], [False] * 6
"""Axes locked while falling: neither sideways nor over."""


def drop_distractors(
    scene: sapien.Scene, bodies: Sequence[Body], starts: Floats, settings: PhysicsSettings
) -> None:
    """Let each body fall from its start (n, 7) after the one before; then unlock one by one.

    Dense layouts may drop one onto another, which then rolls off.
    """
    for body, start in zip(bodies, starts, strict=True):
        body.put(start)
        body.rigid.set_locked_motion_axes(_STRAIGHT)
        run(scene, 0.5, settings)
    for body in bodies:
        body.rigid.set_locked_motion_axes(_FREE)
        body.put(body.pose)
        run(scene, 0.5, settings)
    calm_down(scene, bodies, settings)
