"""Can SAPIEN draw on this machine? What comes back is a device, or a sentence and what mends it."""

from __future__ import annotations

from functools import cache

from vlm4vla.core.errors import RendererUnavailable
from vlm4vla.simulators.machine import RendererReport, try_renderer

FIX = (
    "CPU: Mesa 25 or newer. Debian 12: add the suite bookworm-backports to your apt sources, then\n"
    "  apt-get install -t bookworm-backports libvulkan1 mesa-vulkan-drivers\n"
    "Ubuntu 24.04 and newer: apt-get install libvulkan1 mesa-vulkan-drivers\n"
    "NVIDIA GPU: also apt-get install libxext6, and run containers with\n"
    "  NVIDIA_DRIVER_CAPABILITIES=all\n"
    "`bench doctor` tries again."
)

_CHILD = """
import sapien
sapien.render.set_camera_shader_dir("trivial")  # the others take seconds on a CPU
scene = sapien.Scene([sapien.physx.PhysxCpuSystem(), sapien.render.RenderSystem()])
camera = scene.add_camera("probe", 16, 16, 1.0, 0.01, 10)
scene.set_ambient_light([1, 1, 1])
scene.update_render()
camera.take_picture()
camera.get_picture("Color")
print("DEVICE=" + scene.render_system.device.name)
del camera, scene  # what they crash upon, they crash upon now
print("DREW")
"""


@cache
def probe() -> RendererReport:
    """Open SAPIEN's renderer and take a tiny picture, in another process; once per process."""
    return try_renderer(_CHILD)


def require() -> str:
    """Name of the device that draws; RendererUnavailable if nothing can be drawn."""
    report = probe()
    if not report.works:
        raise RendererUnavailable(f"SAPIEN cannot open a renderer here: {report.problem}.", FIX)
    return report.device
