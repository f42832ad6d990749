"""Pictures of a task, from a second scene that only ever looks, laid over a photo.

Physics and pictures are kept apart: this scene holds the same shapes without simulating them, and
takes the poses it is given. So rendering cannot change an outcome, and a run that asks for no
picture opens no renderer.

Upstream renders with SAPIEN 2's `ibl` shader; with its lights and robot material SAPIEN 3's
`default` differs by a few hundredths of a grey level. Everything but the foreground is replaced by
a photo of the real scene (visual matching), where there is one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sapien
from numpy.typing import NDArray
from PIL import Image

from vlm4vla.core.errors import RendererUnavailable
from vlm4vla.core.simulator import Frames
from vlm4vla.core.specs import Vector3
from vlm4vla.simulators.sapien_renderer import FIX
from vlm4vla.simulators.shaders import without_environment

BACKGROUND = 0
"""The label of what the photo replaces."""
SPECULAR, ROUGHNESS = 0.9, 0.3
"""Upstream's material of a robot (`set_articulation_render_material`)."""

Poses = Mapping[str, sapien.Pose]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Light:
    """A directional light: which way it shines, and its colour."""

    direction: Vector3
    colour: Vector3
    shadow: bool = False
    """Upstream's lights cast none, but the first of those on a cabinet."""


@dataclass(frozen=True)
class Lighting:
    """Upstream's `_setup_lighting`."""

    ambient: Vector3
    lights: tuple[Light, ...]


@dataclass(frozen=True)
class Lens:
    """A pinhole camera: size and intrinsics in pixels, near and far plane in metres."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    near: float = 0.1
    far: float = 10.0


@dataclass(frozen=True)
class Picture:
    """What the camera saw."""

    frame: Frames
    """(H, W, 3) uint8 RGB, row 0 at the top, the photo laid over."""
    labels: Labels
    """(H, W): 1 + the index in `names` of what is seen, or `BACKGROUND`."""
    names: tuple[str, ...]


class OverlaidView:
    """The scene as the policy's camera sees it; kept for all episodes that look alike."""

    def __init__(self, lens: Lens, lighting: Lighting, photo: Path | None) -> None:
        """Open the renderer; RendererUnavailable if it cannot be opened."""
        # Mesa's CPU renderer: a host has one core.
        os.environ.setdefault("LP_NUM_THREADS", "1")
        sapien.render.set_camera_shader_dir(without_environment())
        sapien.render.set_picture_format("Color", "r32g32b32a32sfloat")
        try:
            system = sapien.render.RenderSystem()
        except RuntimeError as error:
            raise RendererUnavailable(f"SAPIEN cannot open a renderer: {error}", FIX) from error
        self._scene = sapien.Scene([sapien.physx.PhysxCpuSystem(), system])
        self._scene.set_ambient_light(lighting.ambient)
        for light in lighting.lights:
            self._scene.add_directional_light(
                light.direction, light.colour, light.shadow, shadow_scale=5, shadow_map_size=2048
            )
        self._camera = sapien.render.RenderCameraComponent(lens.width, lens.height)
        self._camera.set_perspective_parameters(
            lens.near, lens.far, lens.fx, lens.fy, lens.cx, lens.cy, 0.0
        )
        self._mount = sapien.Entity()
        self._mount.add_component(self._camera)
        self._scene.add_entity(self._mount)
        self._photo = None if photo is None else _photo(photo, lens)
        self._things: dict[str, sapien.Entity] = {}
        self._foreground: dict[int, str] = {}

    def add_articulation(
        self, urdf: Path, prefix: str = "", shiny: bool = False, foreground: bool = True
    ) -> None:
        """The links of a robot or a cabinet that can be seen, each named `prefix` + its name.

        `shiny` gives them upstream's material of a robot.
        """
        builder = self._scene.create_urdf_loader().parse(str(urdf), srdf_file="none")[0][0]
        for link in builder.link_builders:
            if not link.visual_records:
                continue
            body = link.build_render_component()
            for material in _materials(body) if shiny else ():
                material.specular, material.roughness = SPECULAR, ROUGHNESS
            self._add(prefix + link.name, body, foreground)

    def add_model(
        self,
        name: str,
        mesh: Path,
        within: sapien.Pose | None = None,
        place: sapien.Pose | None = None,
        foreground: bool = True,
        emission: bool = False,
    ) -> None:
        """An object or a stage: the mesh's pose within it, and its own where it does not move.

        With `emission` what is black shines by its emissive texture (upstream's `baked_*` objects
        whose file has no factor for it, which SAPIEN 2 takes for 1 and SAPIEN 3 for 0).
        """
        builder = self._scene.create_actor_builder()
        builder.add_visual_from_file(str(mesh), within or sapien.Pose())
        body = builder.build_render_component()
        black = [m for m in _materials(body) if not any(m.base_color[:3])]
        for material in black if emission else ():
            material.emission = [1.0, 1.0, 1.0, 1.0]
        self._add(name, body, foreground)
        self._things[name].set_pose(place or sapien.Pose())

    def add_box(self, name: str, half: Vector3, place: sapien.Pose) -> None:
        """A white box, part of the background."""
        body = sapien.render.RenderBodyComponent()
        white = sapien.render.RenderMaterial(base_color=[1.0, 1.0, 1.0, 1.0])
        body.attach(sapien.render.RenderShapeBox(list(half), white))
        self._add(name, body, foreground=False)
        self._things[name].set_pose(place)

    def draw(self, poses: Poses, eye: sapien.Pose) -> Picture:
        """What is seen from `eye` (SAPIEN's camera: along x, z up) with the things so placed."""
        for name, pose in poses.items():
            if name in self._things:
                self._things[name].set_pose(pose)
        self._mount.set_pose(eye)
        self._scene.update_render()
        self._camera.take_picture()
        colour = np.asarray(self._camera.get_picture("Color"))[..., :3]
        seen = np.asarray(self._camera.get_picture("Segmentation"))[..., 1]
        names = tuple(self._foreground.values())
        labels = np.full(seen.shape, BACKGROUND, np.int32)
        for index, scene_id in enumerate(self._foreground):
            labels[seen == scene_id] = 1 + index
        frame: Frames = (np.clip(colour, 0.0, 1.0) * 255).astype(np.uint8)
        if self._photo is not None:
            frame = np.where((labels == BACKGROUND)[..., None], self._photo, frame)
        return Picture(frame, labels, names)

    def _add(self, name: str, body: sapien.render.RenderBodyComponent, foreground: bool) -> None:
        entity = sapien.Entity()
        entity.add_component(body)
        self._scene.add_entity(entity)
        self._things[name] = entity
        if foreground:
            self._foreground[entity.per_scene_id] = name


def looking_along(position: Vector3, direction: Vector3) -> sapien.Pose:
    """A camera at `position` that looks along `direction`, upright (upstream's `look_at`)."""
    forward = np.array(direction) / np.linalg.norm(direction)
    left = np.cross([0.0, 0.0, 1.0], forward)
    left /= np.linalg.norm(left)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([forward, left, np.cross(forward, left)], axis=1)
    matrix[:3, 3] = position
    return sapien.Pose(matrix)


def _photo(path: Path, lens: Lens) -> Frames:
    with Image.open(path) as image:
        picture = image.convert("RGB")
    if picture.size != (lens.width, lens.height):
        picture = picture.resize((lens.width, lens.height), Image.Resampling.BILINEAR)
    frame: Frames = np.asarray(picture, np.uint8)
    return frame


def _materials(body: sapien.render.RenderBodyComponent) -> list[sapien.render.RenderMaterial]:
    shapes = body.render_shapes
    return [part.material for shape in shapes for part in getattr(shape, "parts", [shape])]
