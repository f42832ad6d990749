"""A robot as upstream drives it: springs in its joints, gravity cancelled, inverse kinematics.

Joints are numbered in upstream's order, whatever order SAPIEN 3 loads them in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sapien
from numpy.typing import NDArray
from sapien import physx

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.physics import numbers, posed

IK_ITERATIONS = 100


@dataclass(frozen=True)
class Drive:
    """The spring of one joint: N/rad and N s/rad, or N/m and N s/m; the force limit in N or Nm."""

    joint: str
    stiffness: float
    damping: float
    force: float


@dataclass(frozen=True)
class Surface:
    """What a link feels like, where it is not the scene's default."""

    link: str
    static: float
    dynamic: float
    patch_radius: float
    """Metres, of torsional friction; also its least."""


class DrivenRobot:
    """One articulation, fixed to the ground."""

    def __init__(
        self,
        scene: sapien.Scene,
        urdf: Path,
        drives: Sequence[Drive],
        surfaces: Sequence[Surface] = (),
        several_pieces: bool = False,
    ) -> None:
        """Load it. `drives` names all of its movable joints, in upstream's order.

        With `several_pieces` a link's collision mesh is of several convex pieces, not one.
        """
        loader = scene.create_urdf_loader()
        loader.load_multiple_collisions_from_file = several_pieces
        for surface in surfaces:
            loader.set_link_material(surface.link, surface.static, surface.dynamic, 0.0)
            loader.set_link_patch_radius(surface.link, surface.patch_radius)
            loader.set_link_min_patch_radius(surface.link, surface.patch_radius)
        # Upstream has no SRDF: which of its links do not collide is said in its code.
        builder = loader.parse(str(urdf), srdf_file="none")[0][0]
        for link in builder.link_builders:
            link.visual_records = []  # meshes to look at would ask for a renderer
        self.articulation: physx.PhysxArticulation = builder.build()
        joints = {joint.name: joint for joint in self.articulation.active_joints}
        names = list(joints)
        self._joints = [joints[drive.joint] for drive in drives]
        self._order = np.array([names.index(drive.joint) for drive in drives])
        for joint, drive in zip(self._joints, drives, strict=True):
            joint.set_drive_properties(drive.stiffness, drive.damping, drive.force, "force")
            joint.set_friction(0.0)
        self.links = {link.name: link for link in self.articulation.links}
        self.limits: Floats = np.asarray(self.articulation.qlimits, np.float64)[self._order]
        """(joints, 2), radians or metres."""
        self._kinematics = self.articulation.create_pinocchio_model()

    @property
    def qpos(self) -> Floats:
        """(joints,) positions, radians or metres."""
        return self._ours(self.articulation.qpos)

    @property
    def qvel(self) -> Floats:
        """(joints,) speeds."""
        return self._ours(self.articulation.qvel)

    def put(self, base: Floats, qpos: Floats, qvel: Floats | None = None) -> None:
        """Stand it at `base` (7,) with joints (joints,), at rest unless `qvel` is given."""
        articulation = self.articulation
        articulation.root_pose = posed(base)
        articulation.qpos = self._laid_out(qpos)
        articulation.qvel = self._laid_out(np.zeros(len(self._order)) if qvel is None else qvel)
        articulation.qf = np.zeros(articulation.dof, np.float32)

    def pose(self, link: str) -> Floats:
        """(7,) of a link in the world."""
        return numbers(self.links[link].entity_pose)

    def pose_in_base(self, link: str) -> Floats:
        """(7,) of a link in the robot's base frame, quaternion wxyz."""
        return numbers(self.articulation.root_pose.inv() * self.links[link].entity_pose)

    def solve(
        self, link: str, position: Floats, turn: Floats, moving: Collection[int]
    ) -> tuple[Floats, bool]:
        """Joints (joints,) at which a link is where it shall be, and whether they were found.

        From the measured joints, by pinocchio's closed-loop inverse kinematics, as upstream; where
        none are found it is the measured joints.

        Args:
            link: its name.
            position: (3,) metres, in the base frame.
            turn: (3, 3) rotation matrix, in the base frame.
            moving: the joints that may move.
        """
        mask = np.zeros(len(self._order), np.int32)
        mask[self._order[list(moving)]] = 1
        measured = self.articulation.qpos
        found, solved, _ = self._kinematics.compute_inverse_kinematics(
            list(self.links).index(link),
            sapien.Pose(position, rotation.from_matrix(turn, "quat_wxyz")),
            initial_qpos=measured,
            active_qmask=mask,
            max_iterations=IK_ITERATIONS,
        )
        return self._ours(found if solved else measured), bool(solved)

    def drive(self, positions: Floats, velocities: Floats | None = None) -> None:
        """Aim the springs at (joints,), clamped to the joints' limits as SAPIEN 2's engine does."""
        for joint, position in zip(
            self._joints, np.clip(positions, self.limits[:, 0], self.limits[:, 1]), strict=True
        ):
            joint.set_drive_target(float(position))
        if velocities is not None:
            for joint, velocity in zip(self._joints, velocities, strict=True):
                joint.set_drive_velocity_target(float(velocity))

    def run(self, scene: sapien.Scene, steps: int) -> None:
        """So many physics steps, gravity and Coriolis forces cancelled anew in each."""
        articulation = self.articulation
        passive = articulation.compute_passive_force
        for _ in range(steps):
            articulation.set_qf(passive(gravity=True, coriolis_and_centrifugal=True))
            scene.step()

    def _ours(self, joints: NDArray[np.floating]) -> Floats:
        """(joints,) from SAPIEN's order."""
        ours: Floats = np.asarray(joints, np.float64)[self._order]
        return ours

    def _laid_out(self, joints: Floats) -> NDArray[np.float32]:
        """(joints,) in SAPIEN's order."""
        laid = np.zeros(len(self._order), np.float32)
        laid[self._order] = joints
        return laid
