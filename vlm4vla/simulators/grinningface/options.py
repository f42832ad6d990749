"""How the task can be set up, checked once and passed on typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput, UnknownName

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "robot": ("widowx", "panda"),
    "labels": ("official", "paligemma"),
    "wording": ("default", "paper"),
    "gripper": ("default", "paper"),
    "proprio": ("corrected", "paper"),
}


@dataclass(frozen=True)
class Options:
    """The task's settings; each is part of comparability."""

    robot: str = "widowx"
    """`widowx`: faithful, fetched model; `panda`: bundled with mani-skill."""
    labels: str = "official"
    """What instructions call an emoji: its Unicode name, or PaliGemma's relabelled vocabulary."""
    wording: str = "default"
    """The instruction of the paper's text, or that of its code."""
    gripper: str = "default"
    """`default`: +1 open, -1 closed; `paper`: 1 open, 0 closed, which only half closes the fingers
    (WidowX only)."""
    proprio: str = "corrected"
    """`paper` reads a wxyz quaternion as xyzw, as the published code does."""
    art: str = "noto"
    """`noto`: Noto Color Emoji; otherwise a folder of PNGs named by code point."""

    @classmethod
    def parse(cls, options: Mapping[str, JSON]) -> Options:
        """Check a suite's options; UnknownName for a name or value that does not exist."""
        names = [field.name for field in fields(cls)]
        for name, value in options.items():
            if name not in names:
                raise UnknownName("option of grinningface", name, names)
            if name in _CHOICES and value not in _CHOICES[name]:
                raise UnknownName(f"{name} of grinningface", str(value), _CHOICES[name])
        chosen = cls(**{name: str(value) for name, value in options.items()})
        if chosen.robot == "panda" and chosen.gripper == "paper":
            raise BadInput(
                "The paper's gripper only closes to 0.015 m a finger, half the cube's width: "
                "the Panda cannot hold the cube that way (measured: expert 0 of 100).",
                "Set gripper: default, or robot: widowx.",
            )
        return chosen
