"""What the frozen parts make of the demonstrations, kept so that they are asked only once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vlm4vla.demonstrations.samples import Chunks
from vlm4vla.models.vla import VLA
from vlm4vla.studies.emoji.landing import landings, wanted_maps
from vlm4vla.studies.emoji.network.backbone import MobileNetMiniLM
from vlm4vla.studies.emoji.scratch import settle

_PICTURES = 16
"""Frames that the frozen parts see at once."""


@dataclass(frozen=True)
class Memory:
    """What the frozen parts make of every sample, and what is wanted there."""

    fine: Tensor
    """(N, 35, 2h, 2w) float16."""
    patches: Tensor
    """(N, h, w, 684) float16; (N, 2, h, w) once compared with the sentence."""
    sentences: Tensor
    """(N, 384)."""
    actions: Tensor
    """(N, chunk, 7)."""
    mask: Tensor
    """(N, chunk) bool."""
    landed: Tensor | None
    """(N, h, w): where in the picture the cube is put down, a map that sums to 1. From scratch
    only: an aligned comparison is not told where to look."""

    def __len__(self) -> int:
        """Samples."""
        return len(self.fine)


@torch.no_grad()
def remember(model: VLA, samples: Chunks, scratch: bool) -> Memory:
    """Show every sample to the frozen parts, once.

    From scratch the samples must be such as `landing.check_readable` lets pass.
    """
    backbone = model.backbone
    assert isinstance(backbone, MobileNetMiniLM)
    if scratch:
        settle(backbone, samples)
    backbone.eval()
    camera = model.config.camera.name
    meant: dict[str, Tensor] = {}
    fine, patches, sentences, actions, masks = [], [], [], [], []
    for start in range(0, len(samples), _PICTURES):
        some = [samples[i] for i in range(start, min(start + _PICTURES, len(samples)))]
        frames = torch.from_numpy(np.stack([sample.images[camera] for sample in some]))
        seen, near = backbone.features(frames)
        for text in {sample.instruction for sample in some} - set(meant):
            meant[text] = backbone.sentence(backbone.text.tokens([text]))[0]
        sentence = torch.stack([meant[sample.instruction] for sample in some])
        fine.append(seen.half())
        patches.append((near if scratch else backbone.align(near, sentence)).half())
        sentences.append(sentence)
        actions.append(torch.from_numpy(np.stack([sample.actions for sample in some])).float())
        masks.append(torch.from_numpy(np.stack([sample.mask for sample in some])))
    if scratch:
        backbone.align.middle.copy_(torch.stack([meant[text] for text in sorted(meant)]).mean(0))
    wanted, mask, landed = torch.cat(actions), torch.cat(masks), None
    if scratch:
        side = frames.shape[1]
        places = landings(model, wanted, mask, side)
        landed = wanted_maps(places, backbone.centres(near, side), side)
    return Memory(torch.cat(fine), torch.cat(patches), torch.cat(sentences), wanted, mask, landed)
