"""The two cameras of CALVIN's benchmark, rendered only when they are asked for.

Numbers are those of mees/calvin_env@797142c, `conf/cameras/cameras/*.yaml`. Light and shadow are
pybullet's defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.simulators.calvin.words import GRIPPER, GRIPPER_SIZE, STATIC, STATIC_SIZE
from vlm4vla.simulators.calvin.world import PlayTable

_EYE = (2.871459009488717, -2.166602199425597, 2.555159848480571)
_LOOK_AT = (-0.026242351159453392, -0.0302329882979393, 0.3920000493526459)
_UP = (0.4041403970338857, 0.22629790978217404, 0.8862616969685161)
_NEAR = 0.01
_STATIC_FOV, _STATIC_FAR = 10.0, 10.0
_GRIPPER_FOV, _GRIPPER_FAR = 75.0, 2.0


def picture(world: PlayTable, camera: str) -> Frames:
    """What `camera` sees: uint8 RGB, (200, 200, 3) for `static`, (84, 84, 3) for `gripper`."""
    return _CAMERAS[camera](world)[0]


def depth(world: PlayTable, camera: str) -> Floats:
    """How far away everything in the picture is, metres, along the camera's axis."""
    buffer, far = _CAMERAS[camera](world)[1:]
    return far * _NEAR / (far - (far - _NEAR) * buffer)


def _static(world: PlayTable) -> tuple[Frames, Floats, float]:
    bullet = world.bullet
    view = bullet.computeViewMatrix(_EYE, _LOOK_AT, _UP)
    lens = bullet.computeProjectionMatrixFOV(_STATIC_FOV, 1, _NEAR, _STATIC_FAR)
    return *_shoot(bullet, STATIC_SIZE, view, lens), _STATIC_FAR


def _gripper(world: PlayTable) -> tuple[Frames, Floats, float]:
    bullet = world.bullet
    link = bullet.getLinkState(world.robot.uid, world.robot.camera_link)
    eye = np.array(link[0])
    axes = np.array(bullet.getMatrixFromQuaternion(link[1])).reshape(3, 3)
    view = bullet.computeViewMatrix(eye, eye + axes[:, 1], -axes[:, 2])
    lens = bullet.computeProjectionMatrixFOV(_GRIPPER_FOV, 1, _NEAR, _GRIPPER_FAR)
    return *_shoot(bullet, GRIPPER_SIZE, view, lens), _GRIPPER_FAR


def _shoot(
    bullet: Any, size: int, view: Sequence[float], lens: Sequence[float]
) -> tuple[Frames, Floats]:
    _, _, colour, buffer, _ = bullet.getCameraImage(size, size, view, lens)
    frame: Frames = np.array(np.reshape(colour, (size, size, 4))[..., :3], np.uint8)
    return frame, np.reshape(np.asarray(buffer, np.float64), (size, size))


_CAMERAS: dict[str, Callable[[PlayTable], tuple[Frames, Floats, float]]] = {
    STATIC: _static,
    GRIPPER: _gripper,
}
