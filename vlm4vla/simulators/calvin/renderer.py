"""What draws the play table, whether it can on this machine, and what the two cameras see.

TinyRenderer is part of pybullet and needs nothing. The EGL plugin lies beside it in the wheel; a
driver that does not suit it may take the process down, so a child is asked first.

The cameras' numbers are those of mees/calvin_env@797142c, `conf/cameras/cameras/*.yaml`. Light and
shadow are pybullet's defaults.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from pybullet_utils.bullet_client import BulletClient

from vlm4vla.core.errors import RendererUnavailable
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.simulators.calvin.words import GRIPPER, GRIPPER_SIZE, STATIC, STATIC_SIZE
from vlm4vla.simulators.calvin.world import PlayTable, connect
from vlm4vla.simulators.machine import RendererReport, try_renderer

Renderer = Literal["tiny", "egl"]

FIX = (
    "NVIDIA GPU: install the driver's libEGL and run containers with\n"
    "  NVIDIA_DRIVER_CAPABILITIES=all\n"
    "CPU: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri\n"
    "Or draw without EGL: --set renderer=tiny (numbers of the two are not compared)."
)

_NVIDIA = Path("/dev/nvidiactl")
_ENTRY = "_eglRendererPlugin"
_THROWN_AWAY = 2
"""Pictures: the first two lack shadows, and no chain may look other than in another host."""
_CHILD = """
from vlm4vla.simulators.calvin.renderer import open_world
open_world("egl")
print("DREW", flush=True)
"""

_EYE = (2.871459009488717, -2.166602199425597, 2.555159848480571)
_LOOK_AT = (-0.026242351159453392, -0.0302329882979393, 0.3920000493526459)
_UP = (0.4041403970338857, 0.22629790978217404, 0.8862616969685161)
_NEAR = 0.01
_LENSES = {STATIC: (STATIC_SIZE, 10.0, 10.0), GRIPPER: (GRIPPER_SIZE, 75.0, 2.0)}
"""Pixels, field of view (degrees), and how far it sees (metres)."""


def choose(wanted: str) -> Renderer:
    """`auto` is the EGL plugin where there is an NVIDIA GPU; anything else is itself."""
    if wanted == "auto":
        return "egl" if _NVIDIA.exists() else "tiny"
    return "egl" if wanted == "egl" else "tiny"


def open_world(renderer: Renderer) -> BulletClient:
    """An empty Bullet world that draws with this renderer; RendererUnavailable if it cannot."""
    if renderer == "tiny":
        return connect()
    bullet = connect(f"--width={STATIC_SIZE} --height={STATIC_SIZE}")
    found = find_spec("eglRenderer")
    if found is None or found.origin is None:
        raise RendererUnavailable("This build of pybullet has no EGL plugin.", FIX)
    if bullet.loadPlugin(found.origin, _ENTRY) < 0:
        raise RendererUnavailable("pybullet could not load its EGL plugin.", FIX)
    view = bullet.computeViewMatrix((1, 1, 1), (0, 0, 0), (0, 0, 1))
    lens = bullet.computeProjectionMatrixFOV(60, 1, 0.1, 10)
    for _ in range(_THROWN_AWAY):
        bullet.getCameraImage(16, 16, view, lens)
    return bullet


def describe(renderer: Renderer) -> str:
    """What identifies the renderer in a run's comparability; RendererUnavailable if it fails."""
    if renderer == "tiny":
        return "TinyRenderer"
    report = probe()
    if report.problem:
        raise RendererUnavailable(f"EGL cannot draw here: {report.problem}.", FIX)
    return f"EGL plugin on {report.device}"


@cache
def probe() -> RendererReport:
    """Load the EGL plugin and take a tiny picture, in another process; once per process."""
    return try_renderer(_CHILD, "GL_RENDERER")


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
