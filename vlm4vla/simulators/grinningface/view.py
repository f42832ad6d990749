"""Pictures of the task, from a second scene that only ever looks.

Physics and pictures are kept apart: this scene holds the same shapes without simulating them, and
takes the poses it is given. So rendering cannot change an outcome, and a run that asks for no
picture opens no renderer.

Differences from upstream, which renders 1024 pixels by ray tracing and shrinks them to 224: the
rasterising shader `default` (it runs on a CPU too), directly at the size asked for, card textures
with mipmaps in place of the shrinking, and a plain grey floor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import sapien

from vlm4vla.core.errors import RendererUnavailable
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.simulators.grinningface import art
from vlm4vla.simulators.grinningface.judge import CARD, CUBE
from vlm4vla.simulators.grinningface.robots import maniskill_file
from vlm4vla.simulators.grinningface.words import EYE, FOV, LOOK_AT
from vlm4vla.simulators.grinningface.world import FLOOR, WALLS
from vlm4vla.simulators.sapien_renderer import FIX
from vlm4vla.simulators.shaders import without_environment

CUBE_COLOUR = (0.1, 0.1, 0.5, 1.0)
WALL_COLOURS = ((214 / 256, 183 / 256, 146 / 256, 1.0), (98 / 256, 117 / 256, 188 / 256, 1.0))


class View:
    """The scene as the policy's camera sees it. One per process is enough for every episode."""

    def __init__(self, urdf: Path, pictures: str) -> None:
        """Open the renderer and load all that stays; RendererUnavailable if it cannot be opened."""
        # Mesa's CPU renderer: a host has one core, and more threads gain nothing at 224 pixels.
        os.environ.setdefault("LP_NUM_THREADS", "1")
        sapien.render.set_camera_shader_dir(without_environment())
        sapien.render.set_picture_format("Color", "r32g32b32a32sfloat")
        try:
            system = sapien.render.RenderSystem()
        except RuntimeError as error:
            raise RendererUnavailable(f"SAPIEN cannot open a renderer: {error}", FIX) from error
        self._scene = sapien.Scene([sapien.physx.PhysxCpuSystem(), system])
        self._pictures = pictures
        self._links = _add_robot(self._scene, urdf)
        self._cube = _add(self._scene, _box((CUBE,) * 3, _material(CUBE_COLOUR)))
        self._cards: list[sapien.Entity] = []
        _add_furniture(self._scene)
        _add_lights(self._scene)
        self._cameras: dict[tuple[int, int], sapien.render.RenderCameraComponent] = {}

    def lay_out(self, codes: Sequence[str]) -> None:
        """Print these emojis on the three cards, from the robot's left to its right."""
        for card in self._cards:
            self._scene.remove_entity(card)
        self._cards = []
        for code in codes:
            material = _material((1.0, 1.0, 1.0, 1.0))
            material.base_color_texture = _texture(code, self._pictures)
            self._cards.append(_add(self._scene, _box(CARD, material)))

    def picture(self, poses: Sequence[sapien.Pose], height: int, width: int) -> Frames:
        """What the camera sees, (height, width, 3) uint8 RGB, row 0 at the top.

        Poses are those of the robot's links in the URDF's order, of the cube, of the cards.
        """
        for entity, pose in zip([*self._links, self._cube, *self._cards], poses, strict=True):
            if entity is not None:
                entity.set_pose(pose)
        camera = self._camera(height, width)
        self._scene.update_render()  # after the camera is there, or it starts at the origin
        camera.take_picture()
        colour = np.asarray(camera.get_picture("Color"))[..., :3]
        frame: Frames = (np.clip(colour, 0.0, 1.0) * 255).astype(np.uint8)
        return frame

    def _camera(self, height: int, width: int) -> sapien.render.RenderCameraComponent:
        if (height, width) not in self._cameras:
            camera = self._scene.add_camera(f"{height}x{width}", width, height, FOV, 0.01, 100)
            camera.entity.set_pose(_looking(np.array(EYE), np.array(LOOK_AT)))
            self._cameras[height, width] = camera
        return self._cameras[height, width]


def _looking(eye: Floats, target: Floats) -> sapien.Pose:
    """SAPIEN's cameras look along x, with z up and y to the left."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    left = np.cross([0.0, 0.0, 1.0], forward)
    left /= np.linalg.norm(left)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([forward, left, np.cross(forward, left)], axis=1)
    matrix[:3, 3] = eye
    return sapien.Pose(matrix)


@lru_cache(maxsize=12)  # 1.5 MB each
def _texture(code: str, pictures: str) -> sapien.render.RenderTexture2D:
    """The card's face on the cell of the box's 4 x 3 texture cross that lies on top."""
    # Seen from the robot, up is +x and right is -y; on the cross, columns run along +x and rows,
    # counted from the first, along +y.
    face = np.rot90(art.face(code, pictures), -1)[::-1]
    height, width = face.shape[:2]
    canvas = np.full((3 * height, 4 * width, 4), 255, np.uint8)
    canvas[height : 2 * height, width : 2 * width, :3] = face
    return sapien.render.RenderTexture2D(canvas, "R8G8B8A8Unorm", mipmap_levels=4, srgb=True)


def _material(colour: Sequence[float]) -> sapien.render.RenderMaterial:
    return sapien.render.RenderMaterial(base_color=list(colour))


def _box(
    half: Sequence[float], material: sapien.render.RenderMaterial
) -> sapien.render.RenderBodyComponent:
    body = sapien.render.RenderBodyComponent()
    body.attach(sapien.render.RenderShapeBox(list(half), material))
    return body


def _add(
    scene: sapien.Scene, body: sapien.render.RenderBodyComponent, pose: sapien.Pose | None = None
) -> sapien.Entity:
    entity = sapien.Entity()
    entity.add_component(body)
    entity.set_pose(pose or sapien.Pose())
    scene.add_entity(entity)
    return entity


def _add_robot(scene: sapien.Scene, urdf: Path) -> list[sapien.Entity | None]:
    """An entity for each link that can be seen, None for the others, in the URDF's order."""
    builder = scene.create_urdf_loader().parse(str(urdf))[0][0]
    return [
        _add(scene, link.build_render_component()) if link.visual_records else None
        for link in builder.link_builders
    ]


def _add_furniture(scene: sapien.Scene) -> None:
    table = scene.create_actor_builder()
    quarter = [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]
    table.add_visual_from_file(
        str(maniskill_file("utils/scene_builder/table/assets/table.glb")),
        sapien.Pose(q=quarter),
        [1.75] * 3,
    )
    _add(scene, table.build_render_component(), sapien.Pose([-0.12, 0.0, FLOOR], quarter))
    for (centre, half), colour in zip(WALLS, WALL_COLOURS, strict=True):
        _add(scene, _box(half, _material(colour)), sapien.Pose(centre))
    floor = _box((20.0, 20.0, 0.01), _material((0.5, 0.5, 0.5, 1.0)))
    _add(scene, floor, sapien.Pose([0.0, 0.0, FLOOR - 0.01]))


def _add_lights(scene: sapien.Scene) -> None:
    """ManiSkill3's default lights, with shadows as upstream sets them."""
    scene.set_ambient_light([0.3, 0.3, 0.3])
    scene.add_directional_light(
        [1, 1, -1], [1, 1, 1], shadow=True, shadow_scale=5, shadow_map_size=2048
    )
    scene.add_directional_light([0, 0, -1], [1, 1, 1])
