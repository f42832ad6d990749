"""Small VLAs for tests, whole in every respect but size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tests.models import tiny
from vlm4vla.core.specs import ActionSpec, CameraRequest
from vlm4vla.models.config import PARTS, LoRA, Mode, Part, Setup, VLAConfig
from vlm4vla.models.decoders.config import MLPConfig
from vlm4vla.models.reading import Targets
from vlm4vla.models.vla import VLA

HEAD_ONLY: dict[Part, Mode] = dict.fromkeys(PARTS, "none")
"""Nothing of the backbone is trained."""
INSTRUCTIONS = ["lift it", "put the red block in the drawer, then open the door", "go"]
"""Of very different lengths."""


def config(name: str, source: Path | str, **changes: object) -> VLAConfig:
    """Fields of the configuration, of its decoder, or `camera`."""
    of_decoder = {"chunk", "arm_loss", "gripper_loss_weight"} & set(changes)
    decoder = MLPConfig(**{"chunk": 3} | {field: changes.pop(field) for field in of_decoder})
    camera = changes.pop("camera", CameraRequest("top", 64, 64))
    made = VLAConfig(
        name,
        str(source),
        ActionSpec(),
        (camera,),
        decoder=decoder,
        image_size=56,
        setup=Setup(options=tiny.OPTIONS.get(name, {})),
    )
    if "setup" in changes:
        setup = changes.pop("setup")
        changes["setup"] = replace(setup, options={**made.setup.options, **setup.options})
    return replace(made, **changes)


def vla(
    name: str, source: Path | str, dtype: torch.dtype = torch.float32, **changes: object
) -> VLA:
    """A model with a query that says something."""
    torch.manual_seed(1)
    model = VLA.build(config(name, source, **changes), dtype)
    with torch.no_grad():
        model.query.normal_()
    return model.eval()


def adapted(rank: int) -> dict[Part, Mode]:
    """LoRA on the language model, nothing else of the backbone."""
    return {**HEAD_ONLY, "language": LoRA(rank)}


def targets(actions: torch.Tensor, mask: torch.Tensor | None = None) -> Targets:
    """Of actions that all count, unless a mask says otherwise."""
    return Targets(actions, torch.ones(actions.shape[:2]) > 0 if mask is None else mask)


def frames(count: int, side: int = 80, seed: int = 0) -> np.ndarray:
    """Smooth pictures: noise would only test how a resize treats noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side] / side
    waves = rng.uniform(1, 9, (count, 3, 2))
    phase = waves[..., :1, None] * rows + waves[..., 1:, None] * columns
    return (127.5 + 127.5 * np.sin(phase)).transpose(0, 2, 3, 1).astype(np.uint8)
