"""Upstream's physics on SAPIEN 3: the scene's settings, what stands in it, and its rest.

SimplerEnv runs on SAPIEN 2.2.2 (PhysX 4), whose defaults are set here one by one (ManiSkill2's
`sapien_env.py` and `custom_scenes/`, ManiSkill2_real2sim@ef7a4d4). Nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sapien
from sapien import physx

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.pieces import convex_pieces

FRICTION, OBJECT_FRICTION, OBJECT_DAMPING = 1.0, 0.5, 0.1
"""Of everything by default (table, robot); of objects, static and dynamic; linear and angular."""
DROP = 0.5
"""Metres above the table at which objects are let go."""
FAR_AWAY = (-10.0, 0.0, 0.0)
"""Where the robot stands meanwhile, so that nothing falls onto it."""


@dataclass(frozen=True)
class PhysicsSettings:
    """In what the tasks differ."""

    hz: int
    """Physics steps a second."""
    contact_offset: float
    """Distance, metres, from which contacts are looked for."""
    velocity_iterations: int = 1


@dataclass(frozen=True)
class ObjectModel:
    """A thing to be moved, as upstream's model files describe it."""

    name: str
    collision: Path
    """Mesh of several convex pieces."""
    density: float
    extent: tuple[float, float, float]
    """Edges of its bounding box, metres, in its own frame."""


class Body:
    """A rigid thing in the scene."""

    def __init__(self, model: ObjectModel, rigid: physx.PhysxRigidDynamicComponent) -> None:
        """`rigid` is what was built from the model."""
        self.name, self.extent = model.name, np.array(model.extent)
        self.rigid = rigid

    @property
    def pose(self) -> Floats:
        """(7,) of its origin: metres, quaternion wxyz."""
        return numbers(self.rigid.entity_pose)

    @property
    def centre(self) -> Floats:
        """(3,) centre of mass, metres."""
        placed = self.rigid.entity_pose * self.rigid.cmass_local_pose
        return np.asarray(placed.p, np.float64)

    def put(self, pose: Floats) -> None:
        """Place it at (7,), at rest and awake."""
        self.rigid.entity.set_pose(posed(pose))
        self.rigid.linear_velocity = self.rigid.angular_velocity = np.zeros(3, np.float32)
        self.rigid.wake_up()


def new_scene(settings: PhysicsSettings) -> sapien.Scene:
    """An empty scene. What is built afterwards has these settings too: SAPIEN's are global."""
    physx.set_shape_config(contact_offset=settings.contact_offset, rest_offset=0)
    physx.set_body_config(
        solver_position_iterations=25,
        solver_velocity_iterations=settings.velocity_iterations,
        sleep_threshold=0.005,
    )
    physx.set_scene_config(
        gravity=np.array([0, 0, -9.81]),
        bounce_threshold=2.0,
        enable_pcm=False,
        enable_tgs=True,
        enable_ccd=False,
        enable_enhanced_determinism=False,
        enable_friction_every_iteration=True,
        cpu_workers=0,
    )
    physx.set_default_material(FRICTION, FRICTION, 0.0)
    scene = sapien.Scene([physx.PhysxCpuSystem()])
    scene.timestep = 1 / settings.hz
    return scene


def add_stage(scene: sapien.Scene, mesh: Path, within: sapien.Pose, pose: sapien.Pose) -> None:
    """The room or table, which does not move; `within` is the mesh's pose in it."""
    builder = scene.create_actor_builder()
    builder.add_nonconvex_collision_from_file(str(mesh), within)
    builder.build_static("stage").set_pose(pose)


def add_object(scene: sapien.Scene, model: ObjectModel) -> Body:
    """A thing that can be moved; still at the origin."""
    rigid = physx.PhysxRigidDynamicComponent()
    material = physx.PhysxMaterial(OBJECT_FRICTION, OBJECT_FRICTION, 0.0)
    for piece in convex_pieces(model.collision):
        shape = physx.PhysxCollisionShapeConvexMesh(piece, np.ones(3, np.float32), material)
        shape.density = model.density
        rigid.attach(shape)
    rigid.linear_damping = rigid.angular_damping = OBJECT_DAMPING
    entity = sapien.Entity()
    entity.name = model.name
    entity.add_component(rigid)
    scene.add_entity(entity)
    return Body(model, rigid)


def drop_and_settle(
    scene: sapien.Scene, bodies: Sequence[Body], starts: Floats, settings: PhysicsSettings
) -> None:
    """Let the bodies fall from `starts` (n, 7), upright at first, and come to rest.

    Half a second in which they cannot tilt, half a second free, and a second and a half more where
    they still move (upstream's `_initialize_actors`).
    """
    upright, free = (False, False, False, True, True, False), (False,) * 6
    for body, start in zip(bodies, starts, strict=True):
        body.put(start)
        body.rigid.set_locked_motion_axes(list(upright))
    run(scene, 0.5, settings)
    for body in bodies:
        body.rigid.set_locked_motion_axes(list(free))
        body.put(body.pose)
    run(scene, 0.5, settings)
    calm_down(scene, bodies, settings)


def calm_down(scene: sapien.Scene, bodies: Sequence[Body], settings: PhysicsSettings) -> None:
    """A second and a half more for bodies that still move."""
    speed = sum(float(np.linalg.norm(body.rigid.linear_velocity)) for body in bodies)
    spin = sum(float(np.linalg.norm(body.rigid.angular_velocity)) for body in bodies)
    if speed > 1e-3 or spin > 1e-2:
        run(scene, 1.5, settings)


def run(scene: sapien.Scene, seconds: float, settings: PhysicsSettings) -> None:
    """Let the scene go on for so long."""
    for _ in range(int(settings.hz * seconds)):
        scene.step()


def posed(pose: Floats) -> sapien.Pose:
    """(7,) as SAPIEN's pose."""
    return sapien.Pose(np.asarray(pose[:3], np.float32), np.asarray(pose[3:], np.float32))


def numbers(pose: sapien.Pose) -> Floats:
    """SAPIEN's pose as (7,): metres, quaternion wxyz."""
    return np.concatenate([pose.p, pose.q]).astype(np.float64)
