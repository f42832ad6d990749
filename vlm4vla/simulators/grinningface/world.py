"""The physics of the task: one fresh SAPIEN scene an episode, nothing rendered.

Settings are ManiSkill3's defaults (mani_skill/utils/structs/types.py), 100 Hz physics under 20 Hz
control. Building a scene takes about 5 ms, so nothing of an earlier episode can linger.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sapien
from sapien import physx

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.grinningface.control import Controller
from vlm4vla.simulators.grinningface.judge import CARD, CUBE, State
from vlm4vla.simulators.grinningface.robots import Robot

CONTROL_HZ, SUBSTEPS = 20, 5
TIMESTEP = 1 / (CONTROL_HZ * SUBSTEPS)

FLOOR = -0.9196429
TABLE_CENTRE, TABLE = (-0.12, 0.0, FLOOR / 2), (0.6045, 1.209, -FLOOR / 2)
"""ManiSkill3's table: its top is at z = 0."""
WALLS = (((1.0, -0.05, 1.08035743), (0.5, 1.3, 2.0)), ((0.0, 1.75, 1.08035743), (1.3, 0.5, 2.0)))
"""Centre and half size of the wooden and the blue box behind the table."""


class CardTable:
    """The scene of one episode."""

    def __init__(
        self, robot: Robot, urdf: Path, cube_xy: Floats, cards_xy: Floats, arm_noise: Floats
    ) -> None:
        """Build the scene.

        Cube (2,) and cards (3, 2) in metres; `arm_noise` in radians is added to the rest pose.
        """
        _configure_physx()
        self._scene = sapien.Scene([physx.PhysxCpuSystem()])
        self._scene.timestep = TIMESTEP
        self._robot = robot
        self.articulation = _load_robot(self._scene, robot, urdf)
        self._controller = Controller(self.articulation, robot, urdf)
        _add_furniture(self._scene)
        self._cube = _add_box(self._scene, (*cube_xy, CUBE), (CUBE, CUBE, CUBE))
        self._cards = [_add_box(self._scene, (*xy, CARD[2]), CARD) for xy in cards_xy]
        self._place_robot(arm_noise)
        links = {link.name: link for link in self.articulation.links}
        self._links = list(links.values())
        self._tcp = links[robot.tcp]
        self._left, self._right = (links[name] for name in robot.finger_links)
        self._controller.reset()

    def step(self, action: Floats) -> None:
        """One control step under `action` (7,)."""
        self._controller.apply(action)
        for _ in range(SUBSTEPS):
            self._scene.step()

    def state(self) -> State:
        """The world as it stands."""
        pushes = self._pushes_on_cube()
        left, right = pushes.get(self._left), pushes.get(self._right)
        ours = [link for link in self._links if link in pushes]
        return State(
            cube=_numbers(self._cube.entity_pose),
            cube_speed=float(np.linalg.norm(self._cube.linear_velocity)),
            cards=np.stack([_numbers(card.entity_pose) for card in self._cards]),
            tcp=_numbers(self._tcp.entity_pose),
            command=np.asarray(self._robot.base) + self._controller.target_p,
            finger_distance=float(
                np.linalg.norm(self._left.entity_pose.p - self._right.entity_pose.p)
            ),
            arm_speed=float(np.abs(self.articulation.qvel[: len(self._robot.arm)]).max()),
            grasped=_presses(self._left, left, 1) and _presses(self._right, right, -1),
            touched=bool(ours),
            supported=len(pushes) > len(ours),
        )

    def poses(self) -> list[sapien.Pose]:
        """Of the robot's links, the cube and the cards, in that order: what a picture needs."""
        return [body.entity_pose for body in (*self._links, self._cube, *self._cards)]

    def _place_robot(self, arm_noise: Floats) -> None:
        arm = dict(zip(self._robot.arm, np.add(self._robot.rest, arm_noise), strict=True))
        qpos = [arm.get(j.name, self._robot.finger_rest) for j in self.articulation.active_joints]
        self.articulation.set_qpos(np.asarray(qpos, np.float32))
        self.articulation.set_qvel(np.zeros(len(qpos), np.float32))

    def _pushes_on_cube(self) -> dict[object, Floats]:
        """Body -> force on the cube in the last physics step, newtons, where there is any."""
        pushes: dict[object, Floats] = {}
        for contact in self._scene.physx_system.get_contacts():
            first, second = contact.bodies
            if self._cube not in (first, second):
                continue
            other = second if first == self._cube else first
            # PhysX lists everything within the contact offset of 2 cm, pressing or not.
            impulse = sum((np.asarray(p.impulse, np.float64) for p in contact.points), np.zeros(3))
            if any(np.any(p.impulse) for p in contact.points):
                pushes[other] = pushes.get(other, np.zeros(3)) + impulse / TIMESTEP * (
                    1 if first == self._cube else -1
                )
        return pushes


def _presses(link: object, push: Floats | None, side: int) -> bool:
    """One finger's half of ManiSkill3's grasp test; `push` is the force on the cube."""
    if push is None:
        return False
    force = float(np.linalg.norm(push))
    pose = link.entity_pose.to_transformation_matrix()  # type: ignore[attr-defined]
    opening = side * pose[:3, 1]
    # ManiSkill3 takes the force on the finger, which points opposite to the one on the cube.
    cosine = float(np.dot(opening, -push)) / max(force, 1e-9)
    return force >= 0.5 and cosine >= float(np.cos(np.radians(85)))


def _numbers(pose: sapien.Pose) -> Floats:
    return np.concatenate([pose.p, pose.q]).astype(np.float64)


def _configure_physx() -> None:
    physx.set_shape_config(contact_offset=0.02, rest_offset=0)
    physx.set_body_config(
        solver_position_iterations=15, solver_velocity_iterations=1, sleep_threshold=0.005
    )
    physx.set_scene_config(
        gravity=np.array([0, 0, -9.81]),
        bounce_threshold=2.0,
        enable_pcm=True,
        enable_tgs=True,
        enable_ccd=False,
        enable_enhanced_determinism=False,
        enable_friction_every_iteration=True,
        cpu_workers=0,
    )
    physx.set_default_material(static_friction=0.3, dynamic_friction=0.3, restitution=0.0)


def _load_robot(scene: sapien.Scene, robot: Robot, urdf: Path) -> physx.PhysxArticulation:
    loader = scene.create_urdf_loader()
    if robot.finger_friction is not None:
        for name in robot.finger_links:
            loader.set_link_material(name, robot.finger_friction, robot.finger_friction, 0.0)
            loader.set_link_patch_radius(name, robot.finger_patch)
            loader.set_link_min_patch_radius(name, robot.finger_patch)
    builder = loader.parse(str(urdf))[0][0]
    for link in builder.link_builders:
        link.visual_records = []  # meshes to look at would ask for a renderer
    builder.set_initial_pose(sapien.Pose(robot.base))
    return builder.build()


def _add_furniture(scene: sapien.Scene) -> None:
    ground = scene.create_actor_builder()
    upwards = sapien.Pose([0, 0, FLOOR], [0.7071068, 0, -0.7071068, 0])
    ground.add_plane_collision(upwards)
    ground.build_static(name="ground")
    for centre, half in ((TABLE_CENTRE, TABLE), *WALLS):
        box = scene.create_actor_builder()
        box.add_box_collision(half_size=half)
        box.set_initial_pose(sapien.Pose(centre))
        box.build_static()


def _add_box(
    scene: sapien.Scene, position: Sequence[float], half: Sequence[float]
) -> physx.PhysxRigidDynamicComponent:
    builder = scene.create_actor_builder()
    builder.add_box_collision(half_size=half)
    builder.set_initial_pose(sapien.Pose(position))
    return builder.build().find_component_by_type(physx.PhysxRigidDynamicComponent)
