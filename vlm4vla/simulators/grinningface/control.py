"""ManiSkill3's `pd_ee_target_delta_pose` and mimic gripper, without its tensors.

The law (mani_skill/agents/controllers/pd_ee_pose.py, frame `root_translation:
root_aligned_body_rotation`, `use_target`): a delta is added to the last commanded target, not to
the measured pose; inverse kinematics from the measured joints gives the drive targets; where it
fails, the joints hold their measured position while the target keeps what it was given.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sapien
from sapien.wrapper.pinocchio_model import PinocchioModel

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.grinningface.robots import Robot

TRANSLATION = 0.1
"""Metres per unit of action."""
TURN = -0.1
"""Radians per unit of action: ManiSkill3 scales rotations by the lower limit, hence the sign."""
FINGER_LOW, FINGER_HIGH = -0.01, 0.04
"""Finger joint target for actions -1 and +1, metres; below 0 so that thin things are squeezed."""
STIFFNESS, DAMPING, FORCE = 1e3, 1e2, 100.0
"""Of every joint drive, arm and fingers."""


class Controller:
    """Turns actions (7,) into drive targets of one articulation."""

    def __init__(self, articulation: sapien.physx.PhysxArticulation, robot: Robot, urdf: Path):
        """Set the drives' gains and read the kinematics from the URDF."""
        self._articulation = articulation
        joints = {joint.name: joint for joint in articulation.active_joints}
        self._arm = [joints[name] for name in robot.arm]
        self._fingers = [joints[name] for name in robot.fingers]
        for joint in self._arm + self._fingers:
            joint.set_drive_properties(STIFFNESS, DAMPING, force_limit=FORCE, mode="force")
            joint.set_friction(0.0)
        for link in articulation.links:
            link.disable_gravity = True  # ManiSkill3's stand-in for gravity compensation
        names = [joint.name for joint in articulation.active_joints]
        links = [link.name for link in articulation.links]
        self._model = PinocchioModel(urdf.read_text(), [0, 0, -9.81])
        self._model.set_joint_order(names)
        self._model.set_link_order(links)
        self._arm_index = np.array([names.index(name) for name in robot.arm])
        self._mask = np.isin(np.arange(len(names)), self._arm_index).astype(np.int32)
        self._tcp_index = links.index(robot.tcp)
        self._tcp = articulation.links[self._tcp_index]
        self._root = articulation.links[0]
        self.target_p: Floats = np.zeros(3)
        """Commanded tool position in the root frame, metres."""
        self._target_q: Floats = np.array([1.0, 0.0, 0.0, 0.0])

    def reset(self) -> None:
        """The commanded target is the measured pose."""
        pose = self._root.entity_pose.inv() * self._tcp.entity_pose
        self.target_p = np.asarray(pose.p, np.float64)
        self._target_q = np.asarray(pose.q, np.float64)

    def apply(self, action: Floats) -> None:
        """Set the drive targets for one control step; `action` (7,) is clipped as upstream does."""
        self.target_p = self.target_p + TRANSLATION * np.clip(action[:3], -1, 1)
        turn = action[3:6]
        turn = TURN * turn / max(1.0, float(np.linalg.norm(turn)))
        if np.any(turn):
            delta = rotation.to_matrix(turn, "euler_XYZ")
            current = rotation.to_matrix(self._target_q, "quat_wxyz")
            self._target_q = rotation.from_matrix(delta @ current, "quat_wxyz")
        measured = self._articulation.qpos
        solution, solved, _ = self._model.compute_inverse_kinematics(
            self._tcp_index,
            sapien.Pose(self.target_p, self._target_q),
            initial_qpos=measured,
            active_qmask=self._mask,
            max_iterations=100,
        )
        goal = (solution if solved else measured)[self._arm_index]
        for joint, position in zip(self._arm, goal, strict=True):
            joint.set_drive_target(float(position))
        opening = (float(np.clip(action[6], -1, 1)) + 1) / 2
        for joint in self._fingers:
            joint.set_drive_target(FINGER_LOW + opening * (FINGER_HIGH - FINGER_LOW))
