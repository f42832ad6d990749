"""Upstream's `arm_pd_ee_target_delta_pose_align2` and its gripper.

An action is a step (3) in metres, a rotation vector (3) and the gripper (-1 closed, +1 open). The
step and the turn, both in the base frame, change the last commanded pose: it is turned about where
the hand is measured to be, then shifted. Inverse kinematics from the measured joints gives the
drive targets; where it finds none the joints hold their measured position, while the commanded
pose keeps what it was given. Nothing but the gripper is clipped.
"""

from __future__ import annotations

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.bridge.protocol import ARM, CLOSED, HAND, OPEN
from vlm4vla.simulators.simpler.robot import DrivenRobot


class BridgeController:
    """Turns actions (7,) into joint targets of one robot."""

    position: Floats
    """(3,) commanded, in the base frame, metres."""
    turn: Floats
    """(3, 3) commanded, in the base frame."""
    solved: bool
    """Whether inverse kinematics found the last command."""

    def __init__(self, robot: DrivenRobot) -> None:
        """The commanded pose is the measured one."""
        self._robot = robot
        self.begin(robot.pose_in_base(HAND))

    def begin(self, pose: Floats) -> None:
        """Command (7,), in the base frame."""
        self.position, self.turn = pose[:3], rotation.to_matrix(pose[3:], "quat_wxyz")
        self.solved = True

    def targets(self, action: Floats) -> Floats:
        """Joints (8,) to aim at for the next control step; not yet clamped to their limits."""
        measured = self._robot.pose_in_base(HAND)[:3]
        turn = rotation.to_matrix(action[3:6], "rotvec")
        self.position = turn @ (self.position - measured) + measured + action[:3]
        self.turn = turn @ self.turn
        joints, self.solved = self._robot.solve(HAND, self.position, self.turn, ARM)
        opening = (float(np.clip(action[6], -1, 1)) + 1) / 2
        joints[len(ARM) :] = CLOSED + opening * (OPEN - CLOSED)
        return joints
