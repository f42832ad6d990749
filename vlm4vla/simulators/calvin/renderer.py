"""Which renderer draws the play table, and whether it can on this machine.

TinyRenderer is part of pybullet and needs nothing. The EGL plugin lies beside it in the wheel; a
driver that does not suit it may take the process down, so a child is asked first.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pybullet_utils.bullet_client import BulletClient

from vlm4vla.core.errors import RendererUnavailable
from vlm4vla.simulators.calvin.words import STATIC_SIZE
from vlm4vla.simulators.calvin.world import connect
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
