"""Can SAPIEN draw on this machine? Asked in a throw-away process.

A driver that does not suit SAPIEN may raise, hang or take the whole process down. So a child is
asked, and what comes back is a sentence and, if the answer is no, the line that mends it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from vlm4vla.core.errors import RendererUnavailable

TIMEOUT_S = 90.0

FIX = (
    "CPU: Mesa 25 or newer. Debian 12: add the suite bookworm-backports to your apt sources, then\n"
    "  apt-get install -t bookworm-backports libvulkan1 mesa-vulkan-drivers\n"
    "Ubuntu 24.04 and newer: apt-get install libvulkan1 mesa-vulkan-drivers\n"
    "NVIDIA GPU: also apt-get install libxext6, and run containers with\n"
    "  NVIDIA_DRIVER_CAPABILITIES=all\n"
    "`bench doctor` tries again."
)

_CHILD = """
import json, sapien
sapien.render.set_camera_shader_dir("default")
scene = sapien.Scene([sapien.physx.PhysxCpuSystem(), sapien.render.RenderSystem()])
camera = scene.add_camera("probe", 16, 16, 1.0, 0.01, 10)
scene.set_ambient_light([1, 1, 1])
scene.update_render()
camera.take_picture()
shape = camera.get_picture("Color").shape
print(json.dumps({"device": scene.render_system.device.name, "shape": list(shape)}))
"""


@dataclass(frozen=True)
class RendererReport:
    """What the child found."""

    works: bool
    device: str = ""
    """Name of the device that draws, as its driver gives it."""
    problem: str = ""
    fix: str = ""


@cache
def probe() -> RendererReport:
    """Open SAPIEN's renderer and take a tiny picture, in another process; once per process."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", _CHILD],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return RendererReport(False, problem=f"it did not answer in {TIMEOUT_S:g} s", fix=FIX)
    if child.returncode == 0:
        answer = json.loads(child.stdout.strip().splitlines()[-1])
        return RendererReport(True, device=str(answer["device"]))
    if "No module named" in child.stderr:
        return RendererReport(
            False, problem="sapien is not installed", fix='pip install "vlm4vla[emoji]"'
        )
    last = (child.stderr.strip().splitlines() or ["no message"])[-1]
    died = f"killed by signal {-child.returncode}: " if child.returncode < 0 else ""
    return RendererReport(False, problem=f"{died}{last}", fix=FIX)


def require() -> RendererReport:
    """The probe's report; RendererUnavailable if nothing can be drawn."""
    report = probe()
    if not report.works:
        raise RendererUnavailable(
            f"SAPIEN cannot open a renderer here: {report.problem}.", report.fix
        )
    return report
