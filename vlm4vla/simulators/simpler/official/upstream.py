"""Upstream's packages in this process: without a renderer until a picture is asked for.

Nothing of them is altered. Without a renderer, what would draw is left out: lights, cameras, the
robot's shine. Physics does not notice (upstream's own traces come out bit for bit the same).
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from vlm4vla.core.environment import installed
from vlm4vla.core.errors import MissingDependency, RendererUnavailable, WrongVersion
from vlm4vla.core.simulator import Frames
from vlm4vla.simulators.machine import RendererReport, try_renderer
from vlm4vla.simulators.simpler.official import layer
from vlm4vla.simulators.simpler.official.calls import UpstreamCall
from vlm4vla.simulators.simpler.official.files import Checkouts
from vlm4vla.simulators.simpler.official.options import ENVIRONMENT

SAPIEN = "2.2.2"
_PACKAGES = ("sapien", "numpy", "gymnasium", "ruckig", "opencv-python-headless")
_LIGHTS = ("set_ambient_light", "add_directional_light", "add_point_light")
_INSTALL = f"bench env install {ENVIRONMENT}"
FIX = (
    "CPU: Mesa 25 or newer. Debian 12: add the suite bookworm-backports to your apt sources, then\n"
    "  apt-get install -t bookworm-backports libvulkan1 mesa-vulkan-drivers\n"
    "NVIDIA GPU: also apt-get install libxext6, and run containers with\n"
    "  NVIDIA_DRIVER_CAPABILITIES=all"
)
_CHILD = """
import sapien.core as sapien
sapien.render_config.camera_shader_dir = sapien.render_config.viewer_shader_dir = "ibl"
engine, renderer = sapien.Engine(), sapien.SapienRenderer(offscreen_only=True)
engine.set_renderer(renderer)
scene = engine.create_scene()
scene.add_directional_light([0, 0, -1], [1, 1, 1])
builder = scene.create_actor_builder()
builder.add_box_visual(half_size=[0.1, 0.1, 0.1])  # it crashes where there is nothing to draw
builder.build_kinematic()
camera = scene.add_camera("probe", 16, 16, 1.0, 0.01, 10)
scene.step()
scene.update_render()
camera.take_picture()
camera.get_float_texture("Color")
print("DEVICE=opened")
print("DREW", flush=True)
"""


def versions() -> dict[str, str]:
    """The versions that change scores: those of the packages in this Python.

    Raises:
        MissingDependency: one is not installed.
        WrongVersion: SAPIEN is another, or numpy so new that SAPIEN 2 renders black and crashes.
    """
    found: dict[str, str] = {}
    for name in _PACKAGES:
        if (there := installed(name)) is None:
            text = f"Upstream's SimplerEnv needs {name}, which is not installed."
            raise MissingDependency(text, _INSTALL)
        found[name] = there
        if name == "sapien" and there != SAPIEN:
            text = f"Upstream's SimplerEnv runs on SAPIEN {SAPIEN}; here is {there}."
            raise WrongVersion(text, _INSTALL)
    if not found["numpy"].startswith("1."):
        text = f"SAPIEN {SAPIEN} renders black with numpy {found['numpy']}, and then crashes."
        raise WrongVersion(text, f"{_INSTALL}, or numpy<2 in a Python of yours")
    return found


def require_renderer(traced: bool) -> str:
    """What draws; RendererUnavailable if nothing does, or if it cannot trace rays but shall."""
    layered = layer.enable()
    if traced and layered:
        raise RendererUnavailable(
            "Upstream draws the drawers and the apple ray-traced, which takes an NVIDIA GPU.",
            "For numbers that are compared with none of those: --set shader=ibl",
        )
    report = _probe()
    if not report.works:
        raise RendererUnavailable(f"SAPIEN 2 cannot draw here: {report.problem}.", FIX)
    return "Vulkan, without its semaphores for CUDA" if layered else "Vulkan on an NVIDIA GPU"


@cache
def _probe() -> RendererReport:
    return try_renderer(_CHILD)


class Upstream:
    """The packages, imported; there can be one in a process."""

    def __init__(self, tree: Path, found: Checkouts) -> None:
        """Import them from `tree` and the checkout, blind."""
        os.environ["MS2_REAL2SIM_ASSET_DIR"] = str(tree / "data")
        os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's CPU renderer: a host has one core
        sys.path[:0] = [str(tree), str(found.simpler_env)]
        import sapien.core as sapien
        import simpler_env  # noqa: F401  registers upstream's environments with gymnasium
        from mani_skill2_real2sim.envs import sapien_env
        from mani_skill2_real2sim.envs.custom_scenes import base_env

        self._sapien, self._data = sapien, tree / "data"
        self.sees = False
        self._blindfold = ExitStack()
        for owner, name, put in (
            (sapien, "SapienRenderer", _NoRenderer),
            (sapien.Engine, "set_renderer", _nothing),
            (sapien_env.BaseEnv, "_setup_cameras", _nothing),
            (base_env, "set_articulation_render_material", _nothing),
            *((sapien.Scene, light, _nothing) for light in _LIGHTS),
        ):
            self._blindfold.enter_context(patch.object(owner, name, put))

    def open_eyes(self) -> None:
        """Build environments with the renderer from now on, all with the same one.

        A renderer compiles its shaders at its first picture: on a CPU that takes seconds.
        """
        layer.enable()
        self._blindfold.close()
        renderer = self._sapien.SapienRenderer(offscreen_only=True)
        self._sapien.SapienRenderer = lambda **_: renderer
        self.sees = True

    def environment(self, call: UpstreamCall, shader: str) -> Any:
        """A new environment, reset: upstream's evaluator, up to the first observation."""
        from simpler_env.utils.env.env_builder import build_maniskill2_env, get_robot_control_mode
        from transforms3d.euler import euler2quat

        self._cook(call.scene)
        pose = self._sapien.Pose
        control_hz, physics_hz = call.hz
        made = build_maniskill2_env(
            call.environment,
            **({"shader_dir": "rt"} if call.traced and shader == "upstream" else {}),
            **call.arguments,
            obs_mode="none",  # pictures are taken when they are asked for
            robot=call.robot,
            sim_freq=physics_hz,
            control_mode=get_robot_control_mode(call.robot, ""),
            control_freq=control_hz,
            scene_name=call.scene,
            camera_cfgs={"add_segmentation": True},
            rgb_overlay_path=self._photo(call.photo),
        )
        turned = (pose(q=euler2quat(0, 0, call.yaw)) * pose(q=[0, 0, 0, 1])).q
        made.reset(
            options={
                "robot_init_options": {
                    "init_xy": np.array([call.x, call.y]),
                    "init_rot_quat": turned,
                },
                "obj_init_options": {
                    name: np.array(value) if isinstance(value, list) else value
                    for name, value in call.placing.items()
                },
            }
        )
        return made.unwrapped

    def picture(self, environment: Any, camera: str) -> Frames:
        """(H, W, 3): what upstream's evaluator would hand to the policy now."""
        from mani_skill2_real2sim.utils.wrappers.observation import RGBDObservationWrapper
        from simpler_env.utils.env.observation_utils import get_image_from_maniskill2_obs_dict

        with (
            patch.object(environment, "_obs_mode", "image"),
            # Upstream draws two more, which nobody looks at.
            patch.object(environment, "_cameras", {camera: environment._cameras[camera]}),
        ):
            seen = environment.get_obs()
        seen = RGBDObservationWrapper.observation(None, seen)
        frame: Frames = np.array(get_image_from_maniskill2_obs_dict(environment, seen))
        return frame

    def _cook(self, scene: str) -> None:
        """Have SAPIEN write the stage's collision mesh, where it has not.

        What it reads back differs from what it wrote by rounding: a carrot on the table by 0.16 mm.
        All episodes but a machine's first are played on what was read back, upstream's too.
        """
        stage = self._data / "hab2_bench_assets" / "stages" / f"{scene}.glb"
        if stage.is_file() and not stage.with_name(f"{stage.name}.nonconvex.stl").is_file():
            engine = self._sapien.Engine()
            scratch = engine.create_scene()  # named: SAPIEN crashes where it is gone too soon
            builder = scratch.create_actor_builder()
            builder.add_nonconvex_collision_from_file(str(stage))
            builder.build_static()

    def _photo(self, name: str) -> str | None:
        return str(self._data / "real_inpainting" / f"{name}.png") if name else None


class _NoRenderer:
    """What upstream makes of a renderer before it has a scene."""

    def __init__(self, **_: object) -> None: ...

    def set_log_level(self, level: str) -> None: ...


def _nothing(*_: object, **__: object) -> None:
    """Draw nothing."""
