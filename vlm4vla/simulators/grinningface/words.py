"""What the task offers to the outside: names, options. Imports no simulator: it costs nothing."""

from dataclasses import dataclass
from typing import Literal

from vlm4vla.core.errors import BadInput
from vlm4vla.core.specs import opening, orientation, position

CAMERA = "view"
CAMERA_SIZE = 224
"""Pixels: what the paper's policies see."""
EYE, LOOK_AT, FOV = (-0.15, 0.49, 0.564), (0.15, 0.65, 0.0), 1.2
"""Upstream's render camera, metres and radians: 'matches the Bridge view'."""
MAX_STEPS = 200

PROPRIO = (position("world"), orientation("euler_xyz", "world"), opening(1.0))
"""The opening is the distance of the fingers over 0.08 m."""
PAPER_PROPRIO = (PROPRIO[0], orientation("euler_xyz", "misread"), PROPRIO[2])
"""Upstream's angles are those of a quaternion read in the wrong order: in no frame at all."""
PRIVILEGED = (
    "cube", "cards", "target", "tcp", "command", "finger_distance", "grasped", "touched",
    "base", "reach", "grip",
)  # fmt: skip
STAGES = ("reached", "grasped", "lifted", "over_card")
MEASURES = ("picked", "executed", "recognised", "success_paper")


@dataclass(frozen=True)
class GrinningFaceOptions:
    """How the task can be set up; each setting is part of comparability."""

    robot: Literal["widowx", "panda"] = "widowx"
    """`widowx`: faithful, fetched model; `panda`: bundled with mani-skill."""
    labels: Literal["official", "paligemma"] = "official"
    """What instructions call an emoji: its Unicode name, or PaliGemma's relabelled vocabulary."""
    wording: Literal["default", "paper"] = "default"
    """The instruction of the paper's text, or that of its code."""
    gripper: Literal["default", "paper"] = "default"
    """`default`: +1 open, -1 closed; `paper`: 1 open, 0 closed, which only half closes the fingers
    (WidowX only)."""
    proprio: Literal["corrected", "paper"] = "corrected"
    """`paper` reads a wxyz quaternion as xyzw, as the published code does."""
    art: str = "noto"
    """`noto`: Noto Color Emoji; otherwise a folder of PNGs named by code point."""

    def __post_init__(self) -> None:
        """Refuse what cannot be done together. Raises BadInput."""
        if self.robot == "panda" and self.gripper == "paper":
            raise BadInput(
                "The paper's gripper only closes to 0.015 m a finger, half the cube's width: "
                "the Panda cannot hold the cube that way (measured: expert 0 of 100).",
                "Set gripper: default, or robot: widowx.",
            )
