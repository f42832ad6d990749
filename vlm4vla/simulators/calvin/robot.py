"""The Panda of the play table: how it is loaded, moved and read.

Every number is from mees/calvin_env@797142c (`conf/robot/*.yaml`, `robot/robot.py`). The order of
the calls to Bullet is upstream's too: with another order the last bits differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pybullet_utils.bullet_client import BulletClient

from vlm4vla.core.simulator import Floats

URDF = "franka_panda/panda_longer_finger.urdf"
BASE = (-0.34, -0.46, 0.24)
HOME = (-1.21779206, 1.03987646, 2.11978261, -2.34205014, -0.87015947, 1.64119353, 0.55344866)
ARM, FINGERS = tuple(range(7)), (9, 11)
"""Joint indices."""
TCP = 15
"""Link index: 0.14 m beyond the hand."""
CAMERA_LINK = "gripper_cam"
FINGER_OPEN, FINGER_CLOSED = 0.04, 0.0
"""Joint position of one finger, metres."""

TRANSLATION, TURN = 0.02, 0.05
"""Metres and radians per unit of a relative action."""

_LOWER = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
_UPPER = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
_ARM_FORCE, _ARM_SPEED = 200.0, 2.0
_CLOSING_FORCE, _OPENING_FORCE, _FINGER_SPEED = 200.0, 2.0, 1.0
_DOFS = len(ARM) + len(FINGERS)
_NULL_SPACE = {
    "lowerLimits": [-7.0] * _DOFS,
    "upperLimits": [7.0] * _DOFS,
    "jointRanges": [7.0] * _DOFS,
    "restPoses": [*HOME, FINGER_OPEN, FINGER_OPEN],
}


class Arm:
    """The arm. Relative actions add up on the commanded pose, not on the measured one."""

    def __init__(self, bullet: BulletClient, data: Path) -> None:
        """Load it, with the column it stands on and the gear that joins its fingers."""
        self._bullet = bullet
        self.uid: int = bullet.loadURDF(str(data / URDF), BASE, useFixedBase=True)
        _add_column(bullet)
        left, right = FINGERS
        axis, origin = (1, 0, 0), (0, 0, 0)
        gear = bullet.createConstraint(
            self.uid, left, self.uid, right, bullet.JOINT_GEAR, axis, origin, origin
        )
        bullet.changeConstraint(gear, gearRatio=-1, erp=0.1, maxForce=50)
        names = {
            bullet.getJointInfo(self.uid, joint)[12].decode(): joint
            for joint in range(bullet.getNumJoints(self.uid))
        }
        self.camera_link: int = names[CAMERA_LINK]
        self.place(HOME, FINGER_OPEN)

    def place(self, arm: Sequence[float] | Floats, finger: float) -> None:
        """Put the joints somewhere and hold them there; the commanded pose is where that is.

        Args:
            arm: (7,) joint positions, radians.
            finger: Position of either finger, metres.
        """
        for joint, position in zip(ARM, arm, strict=True):
            self._bullet.resetJointState(self.uid, joint, position)
            self._hold(joint, position, _ARM_FORCE, _ARM_SPEED)
        for joint in FINGERS:
            self._bullet.resetJointState(self.uid, joint, finger)
            self._hold(joint, finger, _CLOSING_FORCE, _FINGER_SPEED)
        self.last_gripper = 1.0
        tcp, quaternion = self._tcp()
        self.target_position: Floats = np.array(tcp)
        self.target_euler: Floats = np.array(self._bullet.getEulerFromQuaternion(quaternion))

    def move_by(self, action: Floats) -> None:
        """Command a relative action (7,): units of 0.02 m and 0.05 rad, gripper -1 or +1.

        Nothing is clipped, and Euler angles are added component by component, as upstream does.
        """
        self.target_position = self.target_position + action[:3] * TRANSLATION
        self.target_euler = self.target_euler + action[3:6] * TURN
        self._command(self.target_position, self.target_euler, float(action[6]))

    def move_to(self, action: Floats) -> None:
        """Command an absolute action (7,): metres and radians in the world frame, gripper.

        The pose that relative actions add to is left alone, as upstream does.
        """
        self._command(action[:3], action[3:6], float(action[6]))

    def observation(self) -> Floats:
        """CALVIN's `robot_obs` (15,).

        Position of the tool centre (3), its Euler angles (3), opening width, arm joints (7), last
        gripper action; metres and radians.
        """
        position, quaternion = self._tcp()
        width = sum(self._joint(joint) for joint in FINGERS)
        arm = [self._joint(joint) for joint in ARM]
        euler = self._bullet.getEulerFromQuaternion(quaternion)
        return np.array([*position, *euler, width, *arm, self.last_gripper])

    def touches(self) -> frozenset[int]:
        """Bodies that the robot touches."""
        return frozenset(contact[2] for contact in self._bullet.getContactPoints(bodyA=self.uid))

    def _command(self, position: Floats, euler: Floats, gripper: float) -> None:
        quaternion = self._bullet.getQuaternionFromEuler(euler)
        solution = self._bullet.calculateInverseKinematics(
            self.uid, TCP, position, quaternion, **_NULL_SPACE
        )
        goals = np.clip(solution[: len(ARM)], _LOWER, _UPPER)
        for joint, goal in zip(ARM, goals, strict=True):
            self._hold(joint, goal, _ARM_FORCE, _ARM_SPEED)
        closed, opened = (FINGER_CLOSED, _CLOSING_FORCE), (FINGER_OPEN, _OPENING_FORCE)
        finger, force = opened if gripper == 1 else closed
        for joint in FINGERS:
            self._hold(joint, finger, force, _FINGER_SPEED)
        self.last_gripper = gripper

    def _hold(self, joint: int, position: float, force: float, speed: float) -> None:
        self._bullet.setJointMotorControl2(
            self.uid,
            joint,
            self._bullet.POSITION_CONTROL,
            targetPosition=position,
            force=force,
            maxVelocity=speed,
        )

    def _joint(self, joint: int) -> float:
        return float(self._bullet.getJointState(self.uid, joint)[0])

    def _tcp(self) -> tuple[Sequence[float], Sequence[float]]:
        position, quaternion = self._bullet.getLinkState(self.uid, TCP)[:2]
        return position, quaternion


def _add_column(bullet: BulletClient) -> None:
    """What the arm stands on, for the eye only."""
    shape = bullet.createVisualShape(
        bullet.GEOM_CYLINDER,
        radius=0.13,
        length=0.24,
        rgbaColor=(1, 1, 1, 1),
        visualFramePosition=(-0.39, -0.46, 0.12),
    )
    bullet.createMultiBody(baseVisualShapeIndex=shape)
