"""How the paper trained on each data set, and what its code does instead: VLM4VLA section 7.

Where the paper's text and its published code disagree, `--preset paper` and `--preset code` follow
one of them each; `default` is our own choice, documented in docs/training.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vlm4vla.core.errors import UnknownName
from vlm4vla.models.config import Preset
from vlm4vla.training.augment import Augmentation

RecipeName = Literal["calvin", "bridge", "fractal", "libero", "emoji"]


@dataclass(frozen=True)
class Recipe:
    """The numbers that depend on the data set."""

    chunk: int
    steps: int
    batch: int
    lr: float
    augment: Augmentation
    statistics: str
    """`none`, `own` (computed from the data), or published ones by name."""
    execution: str
    """Default execution of a chunk in evaluation."""
    lr_by_family: Mapping[str, float] = field(default_factory=dict)
    """The code's learning rate where it differs: start of the backbone's name -> lr."""
    epochs: float | None = None
    """The code trains this many epochs in place of `steps`."""


_QWEN_SLOWER = {"qwen": 2e-5}

RECIPES: Mapping[str, Recipe] = {
    "calvin": Recipe(10, 30_000, 128, 2e-5, "shift", "none", "chunk", epochs=5),
    "bridge": Recipe(4, 50_000, 512, 5e-5, "openvla", "bridge_orig", "chunk+votes2", _QWEN_SLOWER),
    "fractal": Recipe(4, 50_000, 512, 5e-5, "openvla", "fractal20220817_data", "chunk+sticky2"),
    "libero": Recipe(4, 50_000, 512, 5e-5, "openvla", "libero_10_no_noops", "chunk", _QWEN_SLOWER),
    # Not the paper's: demonstrations of the emoji task, from `bench demos`.
    "emoji": Recipe(4, 20_000, 64, 5e-5, "none", "own", "chunk"),
}


@dataclass(frozen=True)
class Schedule:
    """A recipe under a preset, for one backbone."""

    lr: float
    steps: int | None
    epochs: float | None
    warmup_epochs: float
    clip_gradients: float
    """Largest norm of the gradient; 0: not clipped."""


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises UnknownName."""
    if name not in RECIPES:
        raise UnknownName("recipe", name, RECIPES)
    return RECIPES[name]


def schedule(chosen: Recipe, preset: Preset, backbone: str) -> Schedule:
    """Learning rate and length.

    The code's trainer file asks for clipping at 1, but its main script overwrites that with 0; so
    `paper` and `code` do not clip, and `default` does. All warm up over a quarter of an epoch.
    """
    lr = chosen.lr
    if preset == "code":
        lr = next((v for k, v in chosen.lr_by_family.items() if backbone.startswith(k)), lr)
    epochs = chosen.epochs if preset == "code" else None
    return Schedule(
        lr=lr,
        steps=None if epochs else chosen.steps,
        epochs=epochs,
        warmup_epochs=0.25,
        clip_gradients=1.0 if preset == "default" else 0.0,
    )
