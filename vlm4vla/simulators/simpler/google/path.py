"""Time-optimal joint paths, as upstream plans one for every action (ruckig, synchronised in time).

ruckig gives a path as pieces of constant jerk. They are evaluated here for all substeps at once:
one call of its own per substep took a third of a control step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ruckig import InputParameter, Result, Ruckig, Trajectory

from vlm4vla.core.errors import SimulatorFault
from vlm4vla.core.simulator import Floats

HZ = 513
SUBSTEPS = 171
"""Physics steps a second, and in an action of 1/3 s."""


@dataclass(frozen=True)
class PathLimits:
    """Largest velocity, acceleration and jerk of every joint: rad/s, rad/s^2, rad/s^3."""

    velocity: float
    acceleration: float
    jerk: float


@dataclass(frozen=True)
class Path:
    """Waypoints at each substep of an action, the present first: (SUBSTEPS + 1, joints) each."""

    positions: Floats
    velocities: Floats


def plan(position: Floats, velocity: Floats, goal: Floats, limits: PathLimits) -> Path:
    """The path from a moving state to rest at `goal`, all (joints,), cut off after one action.

    It starts without acceleration, whatever it continues (upstream).

    Raises:
        SimulatorFault: ruckig finds no path, or the state is not finite.
    """
    joints = len(goal)
    asked = InputParameter(joints)
    asked.current_position, asked.current_velocity = position.tolist(), velocity.tolist()
    asked.target_position = goal.tolist()
    asked.current_acceleration = [0.0] * joints
    asked.target_velocity = asked.target_acceleration = [0.0] * joints
    asked.max_velocity = [limits.velocity] * joints
    asked.max_acceleration = [limits.acceleration] * joints
    asked.max_jerk = [limits.jerk] * joints
    trajectory = Trajectory(joints)
    result = Ruckig(joints).calculate(asked, trajectory)
    if result not in (Result.Working, Result.Finished):
        raise SimulatorFault(f"ruckig plans no path from {position} at {velocity} to {goal}.")
    times = np.clip(np.arange(SUBSTEPS + 1) / HZ, 0, trajectory.duration)
    return Path(*_sample(trajectory, times))


def _sample(trajectory: Trajectory, times: Floats) -> Floats:
    """Positions and velocities (2, times, joints) from each joint's pieces of constant jerk."""
    joints = []
    for profile in trajectory.profiles[0]:
        brake = profile.brake
        pieces = [
            brake.t,
            brake.p,
            brake.v,
            brake.a,
            brake.j,
        ]  # two, of no length where none brakes
        rest = [profile.t, profile.p, profile.v, profile.a, profile.j]
        end = [np.inf, profile.pf, profile.vf, profile.af, 0.0]
        joints.append([[*b[:2], *r[:7], e] for b, r, e in zip(pieces, rest, end, strict=True)])
    of = np.array(joints)  # (joints, 5, pieces)
    ends = np.cumsum(of[:, 0], axis=1)
    starts = np.concatenate([np.zeros((len(of), 1)), ends[:, :-1]], axis=1)
    piece = (times[:, None, None] >= ends).sum(axis=2)  # (times, joints)
    joint = np.arange(len(of))
    p, v, a, j = of[joint, 1:, piece].transpose(2, 0, 1)
    t = times[:, None] - starts[joint, piece]
    return np.stack([p + t * (v + t * (a / 2 + t * j / 6)), v + t * (a + t * j / 2)])
