"""What flows between data, backbone, formulation and decoder.

Axes: B samples, T frames of a sample, V cameras, N sequences, K ActionQueries, W positions of the
history, D width, L actions of a chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Inputs = dict[str, Tensor]
"""What `prepare` makes and a backbone reads; every tensor's first axis counts sequences or
samples."""
Frames = NDArray[np.uint8]
Proprio = NDArray[np.float32]


class Reading(NamedTuple):
    """What a backbone gives of N sequences; what it does not give is None or empty."""

    queries: Tensor
    """(N, K, D): last hidden states at the ActionQueries."""
    logits: Tensor | None = None
    """(N, S, vocabulary)."""
    layers: Sequence[Tensor] = ()
    """What inner layers hold, as the backbone documents it; first axis N."""


@dataclass(frozen=True)
class States:
    """What a decoder sees of B samples."""

    queries: Tensor
    """(B, W, K, D) float32, the present position last."""
    proprio: Tensor | None = None
    """(B, T, P) float32."""
    logits: Tensor | None = None
    layers: Sequence[Tensor] = ()

    @property
    def last(self) -> Tensor:
        """(B, D): the first query's state at the present."""
        return self.queries[:, -1, 0]


@dataclass(frozen=True)
class Targets:
    """What is wanted of B samples."""

    actions: Tensor
    """(B, L, 7) in the dataset's units and convention."""
    mask: Tensor
    """(B, L) bool, False behind an episode's end and for a sample of text."""
    answers: Sequence[str] = ()
    """B texts, each empty where actions are wanted; none where no sample has one."""
    more: Mapping[str, Tensor] = field(default_factory=dict)
    """What only this data knows and only its decoder asks for; first axis B."""

    def to(self, device: torch.device) -> Targets:
        """The same on another device."""
        there = {name: tensor.to(device, non_blocking=True) for name, tensor in self.more.items()}
        actions, mask = (t.to(device, non_blocking=True) for t in (self.actions, self.mask))
        return Targets(actions, mask, self.answers, there)
