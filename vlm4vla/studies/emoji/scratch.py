"""What a network of random numbers needs before it can learn.

Its trunk stays random. Random features tell 450 pictures apart better than they tell what is in
them, so with them the demonstrations are learned by heart. What is left to learn from are the mean
colours of the cells, which stand beside the features everywhere in the network.
"""

from __future__ import annotations

import numpy as np
import torch

from vlm4vla.demonstrations.samples import Chunks
from vlm4vla.studies.emoji.network.backbone import MobileNetMiniLM
from vlm4vla.studies.emoji.network.mobilenet import Trunk


def settle(backbone: MobileNetMiniLM, samples: Chunks, count: int = 96) -> None:
    """Give the batch norms of a random trunk the statistics of the first demonstrations.

    Without them a random network's activations grow from layer to layer.
    """
    norms = [m for m in backbone.vision.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain mean over all batches
    backbone.vision.train()
    for start in range(0, min(count, len(samples)), 32):
        some = [samples[i] for i in range(start, min(start + 32, len(samples)))]
        backbone.features(
            torch.from_numpy(
                np.concatenate([next(iter(sample.images.values())) for sample in some])
            )
        )
    for norm in norms:
        norm.momentum = 0.1


def colours_only(backbone: MobileNetMiniLM) -> None:
    """Take a random trunk's channels out of the search for places and out of the comparison.

    With them in the search, the cube was missed by 17 and 29 mm (x, y) on held-out demonstrations;
    by 5 and 7 mm without.
    """
    for weight, features in (
        (backbone.fusion.channels.weight, Trunk.FINE),
        (backbone.align.patch.weight, Trunk.COARSE),
    ):
        kept = (torch.arange(weight.shape[-1]) >= features).float()
        with torch.no_grad():
            weight.mul_(kept)
        weight.register_hook(lambda gradient, kept=kept: gradient * kept)  # type: ignore[no-untyped-call]
