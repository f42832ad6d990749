"""The controller of the Google Robot: what an action of 1/3 s does to 171 physics steps.

The law (verified on 11,482 recorded steps of upstream): the target is the MEASURED tool pose plus
the delta, in the base frame, so that lag is never made up for. Inverse kinematics gives a joint
target, ruckig a path to it; the path starts where the previous one ended, not where the arm is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.google.path import SUBSTEPS, PathLimits, plan
from vlm4vla.simulators.simpler.google.robot import ARM, DRIVES, FINGERS, TOOL
from vlm4vla.simulators.simpler.robot import DrivenRobot

ARM_LIMITS = PathLimits(velocity=1.5, acceleration=2.0, jerk=50.0)
FINGER_LIMITS = PathLimits(velocity=1.0, acceleration=7.0, jerk=50.0)
CLOSING = 1.31
"""Radians of finger motion that a gripper command of 1 asks for."""
TARGET_LOW, TARGET_HIGH = -0.0001 - 0.01, 1.3 + 0.01
"""Of the finger targets: the joint limits upstream and a little beyond, radians."""
SMALL = 1e-3
"""A smaller gripper command keeps the target, so that a closing begun goes on."""


@dataclass(frozen=True)
class PathMemory:
    """What one action leaves to the next."""

    path_end: Floats
    path_end_velocity: Floats
    """(9,) of the arm's path after 171 steps."""
    finger_target: Floats
    finger_end: Floats
    """(2,) what the fingers were sent to, and where their path has brought the drives."""


class GoogleController:
    """Drives one robot. `memory` is None before the first action after a reset."""

    def __init__(self, robot: DrivenRobot) -> None:
        """The robot stands, or will stand, as it does at the first action."""
        self._robot = robot
        self.memory: PathMemory | None = None
        self.solved = True
        """Inverse kinematics found the last target."""

    def waypoints(self, action: Floats) -> tuple[Floats, Floats]:
        """Drive targets and velocity targets for each of 171 steps, (SUBSTEPS, joints) each.

        `action` (7,): metres, a rotation vector, and how far to close the gripper, -1 to 1.
        """
        arm = plan(*self._arm_start(), self._arm_target(action[:6]), ARM_LIMITS)
        finger_target = self._finger_target(float(action[6]))
        fingers = plan(*self._measured(FINGERS, FINGER_LIMITS), finger_target, FINGER_LIMITS)
        self.memory = PathMemory(
            arm.positions[-1], arm.velocities[-1], finger_target, fingers.positions[-1]
        )
        positions = np.empty((SUBSTEPS, len(DRIVES)))
        positions[:, ARM], positions[:, FINGERS] = arm.positions[1:], fingers.positions[1:]
        velocities = np.zeros_like(positions)  # the arm's damping brakes its motion (upstream)
        velocities[:, FINGERS] = fingers.velocities[1:]
        return positions, velocities

    def _arm_target(self, delta: Floats) -> Floats:
        here = self._robot.pose_in_base(TOOL)
        turn = rotation.to_matrix(delta[3:], "rotvec") @ rotation.to_matrix(here[3:], "quat_wxyz")
        joints, self.solved = self._robot.solve(TOOL, here[:3] + delta[:3], turn, ARM)
        return joints[ARM]

    def _arm_start(self) -> tuple[Floats, Floats]:
        if self.memory is None:
            return self._measured(ARM, ARM_LIMITS)
        return self.memory.path_end, self.memory.path_end_velocity

    def _finger_target(self, command: float) -> Floats:
        step = CLOSING * float(np.clip(command, -1, 1))
        before = end = self._robot.qpos[FINGERS]
        if self.memory:
            before, end = self.memory.finger_target, self.memory.finger_end
        return before if abs(step) < SMALL else np.clip(end + step, TARGET_LOW, TARGET_HIGH)

    def _measured(self, joints: list[int], limits: PathLimits) -> tuple[Floats, Floats]:
        """Position and velocity of these joints, the velocity cut to what a path may have."""
        velocity = np.clip(self._robot.qvel[joints], -limits.velocity, limits.velocity)
        return self._robot.qpos[joints], velocity
