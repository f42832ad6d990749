"""How LIBERO can be set up, checked once and passed on typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from vlm4vla.core.options import Bounds


@dataclass(frozen=True)
class LiberoOptions:
    """The simulator's settings."""

    renderer: Literal["auto", "osmesa", "egl"] = "auto"
    """`auto`: `egl` where there is an NVIDIA GPU, `osmesa` (CPU) elsewhere."""
    size: Annotated[int, Bounds(8, 2048)] = 256
    """Height and width of the pictures, pixels, where a policy asks for no other."""
    view: Literal["full", "crop"] = "full"
    """`crop`: of a picture of `size`, the middle 0.9 of its area at 224 pixels, as VLM4VLA's
    evaluation cuts it. Not for policies that crop themselves, as ours do."""
    seeding: Literal["episode", "community"] = "episode"
    """What the placement of fixtures is drawn from: the episode's own seed, or what `env.seed` and
    one reset for each earlier initial state leave behind."""
    settle: Literal["first", "interleaved"] = "first"
    """`interleaved`: five of the ten settling steps are left out and the others alternate with the
    policy's first actions, as VLM4VLA's loop does."""
    control: bool = False
    """Of a perturbed suite: its initial states with the official words, looks and goal."""
    mujoco: str = ""
    """The version of a MuJoCo newer than 3.3.7 that is to be used all the same."""
