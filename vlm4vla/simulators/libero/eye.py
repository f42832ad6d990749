"""Pictures of a MuJoCo world, drawn when they are asked for and reading nothing but its state."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from vlm4vla.core.simulator import Floats, Frames

CROP = 0.9
"""Share of the area that a cropped picture keeps."""
Poses = Mapping[str, Floats]
"""The arrays of MuJoCo's data that a picture depends on."""
POSED = (
    "geom_xpos", "geom_xmat", "site_xpos", "site_xmat", "cam_xpos", "cam_xmat", "light_xpos",
    "light_xdir",
)  # fmt: skip
_MOST = 1000  # things drawn at once, as in robosuite
_COLLISION, _VISUAL = 0, 1  # robosuite's groups of geoms


class Eye:
    """One OpenGL context over one model; what it draws is bit for bit what robosuite does."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """Open the context and hand over meshes and textures: a second or so."""
        shape = model.vis.global_
        self._model, self._side = model, (shape.offwidth, shape.offheight)
        self._data = mujoco.MjData(model)
        self._gl = mujoco.GLContext(*self._side)
        self._gl.make_current()
        self._scene = mujoco.MjvScene(model, _MOST)
        self._camera, self._options = mujoco.MjvCamera(), mujoco.MjvOption()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._options.geomgroup[_COLLISION], self._options.geomgroup[_VISUAL] = 0, 1
        self._perturbed = mujoco.MjvPerturb()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_150)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)

    def frame(self, poses: Poses, camera: str, height: int, width: int) -> Frames:
        """What a camera sees of things that stand so, upright: uint8 RGB (height, width, 3)."""
        for name, values in poses.items():
            getattr(self._data, name)[:] = values
        self._gl.make_current()
        if width > self._side[0] or height > self._side[1]:
            self._side = max(width, self._side[0]), max(height, self._side[1])
            mujoco.mjr_resizeOffscreen(*self._side, self._context)
        self._camera.fixedcamid = self._model.camera(camera).id
        mujoco.mjv_updateScene(
            self._model, self._data, self._options, self._perturbed, self._camera,
            mujoco.mjtCatBit.mjCAT_ALL, self._scene,
        )  # fmt: skip
        viewport = mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(viewport, self._scene, self._context)
        drawn = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_readPixels(drawn, None, viewport, self._context)
        return drawn[::-1]  # OpenGL begins at the bottom

    def close(self) -> None:
        """Give the context back."""
        self._gl.make_current()
        self._context.free()
        self._gl.free()


def cropped(frame: Frames, height: int, width: int) -> Frames:
    """The middle of a frame, `CROP` of its area, at another size (bilinear)."""
    import cv2

    rows, columns = np.round(np.array(frame.shape[:2]) * (1 - CROP**0.5) / 2).astype(int)
    inner = frame[rows : len(frame) - rows, columns : frame.shape[1] - columns]
    return np.asarray(cv2.resize(inner, (width, height)), np.uint8)
