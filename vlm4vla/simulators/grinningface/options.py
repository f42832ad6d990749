"""How the task can be set up, checked once and passed on typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vlm4vla.core.errors import BadInput


@dataclass(frozen=True)
class GrinningFaceOptions:
    """The task's settings; each is part of comparability."""

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
