"""The two cameras of CALVIN's benchmark, rendered only when they are asked for.

Numbers are those of mees/calvin_env@797142c, `conf/cameras/cameras/*.yaml`. Light and shadow are
pybullet's defaults.
"""

from __future__ import annotations

import numpy as np

from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.simulators.calvin.words import GRIPPER, GRIPPER_SIZE, STATIC, STATIC_SIZE
from vlm4vla.simulators.calvin.world import PlayTable

_EYE = (2.871459009488717, -2.166602199425597, 2.555159848480571)
_LOOK_AT = (-0.026242351159453392, -0.0302329882979393, 0.3920000493526459)
_UP = (0.4041403970338857, 0.22629790978217404, 0.8862616969685161)
_NEAR = 0.01
_LENSES = {STATIC: (STATIC_SIZE, 10.0, 10.0), GRIPPER: (GRIPPER_SIZE, 75.0, 2.0)}
"""Pixels, field of view (degrees), and how far it sees (metres)."""


def picture(world: PlayTable, camera: str) -> Frames:
    """What `camera` sees: uint8 RGB, (200, 200, 3) for `static`, (84, 84, 3) for `gripper`."""
    size, view, far = _LENSES[camera]
    bullet = world.bullet
    pose = _at_the_hand(world) if camera == GRIPPER else (_EYE, _LOOK_AT, _UP)
    lens = bullet.computeProjectionMatrixFOV(view, 1, _NEAR, far)
    colour = bullet.getCameraImage(size, size, bullet.computeViewMatrix(*pose), lens)[2]
    frame: Frames = np.array(np.reshape(colour, (size, size, 4))[..., :3], np.uint8)
    return frame


def _at_the_hand(world: PlayTable) -> tuple[Floats, Floats, Floats]:
    """Eye, what it looks at, and what is up, where the gripper is now."""
    link = world.bullet.getLinkState(world.robot.uid, world.robot.camera_link)
    eye = np.array(link[0])
    axes = np.array(world.bullet.getMatrixFromQuaternion(link[1])).reshape(3, 3)
    return eye, eye + axes[:, 1], -axes[:, 2]
