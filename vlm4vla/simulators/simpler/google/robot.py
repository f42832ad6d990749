"""The Google Robot as upstream sets it up (ManiSkill2_real2sim@ef7a4d4, agents/configs).

What differs from upstream is what PhysX 5 asks for: fingers that squeeze each other kick the arm by
up to 10 cm there. So their collision with each other is off and their joints end where upstream's
fingers meet.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sapien

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.google.words import FINGERS_MEET
from vlm4vla.simulators.simpler.robot import Drive, DrivenRobot, Surface

DRIVES = (
    Drive("joint_torso", 1700.0, 1059.9791902443303, 300.0),
    Drive("joint_shoulder", 1737.0471680861954, 1010.4720585373592, 300.0),
    Drive("joint_bicep", 979.975871856535, 767.2803161582076, 100.0),
    Drive("joint_elbow", 930.0, 680.0, 100.0),
    Drive("joint_forearm", 1212.154500274304, 674.9946964336588, 100.0),
    Drive("joint_wrist", 432.96500923932535, 274.613381336198, 100.0),
    Drive("joint_gripper", 468.0013365498738, 340.532560578637, 100.0),
    Drive("joint_finger_right", 200.0, 8.0, 60.0),
    Drive("joint_finger_left", 200.0, 8.0, 60.0),
    Drive("joint_head_pan", 2000.0, 900.0, 100.0),
    Drive("joint_head_tilt", 2000.0, 900.0, 100.0),
)
FINGERS = [7, 8]
ARM = [0, 1, 2, 3, 4, 5, 6, 9, 10]
"""Joints that inverse kinematics moves: the head, which no motion of the hand needs, among them."""
REST = (
    -0.2639457174606611, 0.0831913360274175, 0.5017611504652179, 1.156859026208673,
    0.028583671314766423, 1.592598203487462, -1.080652960128774, 0.0, 0.0, -0.00285961, 0.7851361,
)  # fmt: skip
HEIGHT = 0.07905
"""Of the base, metres."""
TOOL = "link_gripper_tcp"
EYE_LINK = "link_camera"
EYE = sapien.Pose(q=[0.5, 0.5, -0.5, 0.5])
"""The camera in its link."""
_SIDES = ("left", "right")
FINGER_LINKS = tuple((f"link_finger_tip_{side}", f"link_finger_{side}") for side in _SIDES)
_SURFACES = (
    Surface("link_base", 0.1, 0.0, 0.1),
    *(Surface(f"link_wheel_{side}", 1.0, 0.0, 0.1) for side in _SIDES),
    *(Surface(f"link_finger_{side}", 2.0, 2.0, 0.1) for side in _SIDES),
    *(Surface(f"link_finger_tip_{side}", 2.0, 2.0, 0.1) for side in _SIDES),
    *(Surface(f"link_finger_nail_{side}", 0.1, 0.1, 0.01) for side in _SIDES),
)
_APART = 1 << 29
"""A bit of collision group 2: shapes that share one do not collide."""


def load(scene: sapien.Scene, urdf: Path) -> DrivenRobot:
    """The robot, with the two rules for its fingers."""
    robot = DrivenRobot(scene, urdf, DRIVES, _SURFACES, several_pieces=True)
    for finger in FINGERS:
        joint = robot.articulation.find_joint_by_name(DRIVES[finger].joint)
        joint.set_limits(np.array([[robot.limits[finger, 0], FINGERS_MEET]], np.float32))
    for name, link in robot.links.items():
        if "finger" in name:
            for shape in link.collision_shapes:
                groups = shape.collision_groups
                groups[2] |= _APART
                shape.set_collision_groups(groups)
    return robot


def base(x: float, y: float, yaw: float) -> Floats:
    """(7,) pose of a robot that stands at (x, y) and looks along -x, turned by `yaw`."""
    half = (yaw + np.pi) / 2
    return np.array([x, y, HEIGHT, np.cos(half), 0, 0, np.sin(half)])
