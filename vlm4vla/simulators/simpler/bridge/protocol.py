"""The numbers of the Bridge tasks, from SimplerEnv@4ab7178 and ManiSkill2_real2sim@ef7a4d4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vlm4vla.core.specs import Vector3
from vlm4vla.simulators.simpler.physics import PhysicsSettings
from vlm4vla.simulators.simpler.robot import Drive, Surface
from vlm4vla.simulators.simpler.view import Lens, Light, Lighting

PHYSICS = PhysicsSettings(hz=500, contact_offset=0.005)
SUBSTEPS = 100
TABLE = 0.87
"""Height from which upstream counts the drop, metres."""

ARM = range(6)
"""The joints that inverse kinematics moves."""
DRIVES = (
    Drive("waist", 1169.7891719504198, 330.0, 200),
    Drive("shoulder", 730.0, 180.0, 200),
    Drive("elbow", 808.4601346394447, 152.12036565582588, 100),
    Drive("forearm_roll", 1229.1299089624076, 309.6215302722146, 100),
    Drive("wrist_angle", 1272.2760456418862, 201.04998711007383, 100),
    Drive("wrist_rotate", 1056.3326605132252, 269.51458932695414, 100),
    Drive("left_finger", 1000, 200, 60),
    Drive("right_finger", 1000, 200, 60),
)
"""agents/configs/widowx/defaults.py."""
FINGERS = ("left_finger_link", "right_finger_link")
SURFACES = tuple(Surface(link, 2.0, 2.0, 0.01) for link in FINGERS)
APART = {"gripper_bar_link": 0b11, "left_finger_link": 0b01, "right_finger_link": 0b10}
"""Links of which those that share a bit do not collide (agents/robots/widowx.py)."""
HAND = "ee_gripper_link"
CLOSED, OPEN = 0.014, 0.038
"""Where the gripper's -1 and +1 aim a finger, metres."""
GRASP_ANGLE = 60.0
"""Degrees within which both fingers' contacts push them open in a grasp."""


@dataclass(frozen=True)
class Setting:
    """Where the robot stands and looks from."""

    base: tuple[float, ...]
    """(7,) of its root link in the world."""
    qpos: tuple[float, ...]
    """Joints at the start, radians and metres."""
    lens: Lens
    eye: Vector3
    """Of the camera in the base frame, metres."""
    looks: Vector3 | tuple[float, float, float, float]
    """Along which direction, or the camera's quaternion wxyz."""
    stage: str
    photo: str
    lighting: Lighting


def _lens(near: float) -> Lens:
    """Logitech C920."""
    return Lens(640, 480, 623.588, 623.588, 319.501, 239.545, near)


TABLE_TOP = Setting(
    base=(0.147, 0.028, 0.87, 0.0, 0.0, 0.0, 1.0),
    qpos=(
        -0.01840777, 0.0398835, 0.22242722, -0.00460194, 1.36524296, 0.00153398, 0.037, 0.037,
    ),
    lens=_lens(0.1),
    eye=(0.0, -0.16, 0.36),
    looks=(1.0, 0.553, -1.085),
    stage="bridge_table_1_v1",
    photo="bridge_real_eval_1",
    lighting=Lighting(
        (0.3, 0.3, 0.3),
        (
            Light((0, 0, -1), (2.2, 2.2, 2.2)),
            Light((-1, -0.5, -1), (0.7, 0.7, 0.7)),
            Light((1, 1, -1), (0.7, 0.7, 0.7)),
        ),
    ),
)  # fmt: skip
SINK = Setting(
    base=(0.127, 0.06, 0.85, 0.0, 0.0, 0.0, 1.0),
    qpos=(
        -0.2600599, -0.12875618, 0.04461369, -0.00652761, 1.7033415, -0.26983038, 0.037, 0.037,
    ),
    lens=_lens(0.01),
    eye=(-0.00300001, -0.21, 0.39),
    looks=(-0.907313, 0.0782, -0.36434, -0.194741),
    stage="bridge_table_1_v2",
    photo="bridge_sink",
    lighting=Lighting((0.3, 0.3, 0.3), (Light((0, 0, -1), (0.3, 0.3, 0.3)),)),
)  # fmt: skip

STAGE_TURN = (0.707, 0.707, 0.0, 0.0)
STAGE_PLACE = (2.0634, 2.8313, 0.0)
"""A stage's mesh has y up, and its origin elsewhere."""
SINK_PLACE = (-0.16, 0.13, 0.88, 1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class BridgeTask:
    """What is moved where, and when it is there."""

    setting: Setting
    source: str
    target: str
    models: str = "info_bridge_custom_v0"
    """The file with densities and extents."""
    alone: bool = False
    """Success asks that the source touches nothing but target and robot."""
    margin: float = 0.02
    """Metres that the source may stand higher than lying on the target."""
    fixture: str = ""
    """What stands there besides, unmoved and hidden by the photo, as the target then is too."""


TASKS: Mapping[str, BridgeTask] = {
    "spoon": BridgeTask(
        TABLE_TOP, "bridge_spoon_generated_modified", "table_cloth_generated_shorter"
    ),
    "carrot": BridgeTask(
        TABLE_TOP, "bridge_carrot_generated_modified", "bridge_plate_objaverse_larger", alone=True
    ),
    "cube": BridgeTask(
        TABLE_TOP, "baked_green_cube_3cm", "baked_yellow_cube_3cm",
        models="info_bridge_custom_baked_tex_v0", alone=True,
    ),
    "eggplant": BridgeTask(
        SINK, "eggplant", "dummy_sink_target_plane", margin=0.06, fixture="sink"
    ),
}  # fmt: skip
"""custom_scenes/put_on_in_scene.py; named as published tables name them."""
