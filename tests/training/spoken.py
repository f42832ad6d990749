"""A decoder that says actions as tokens: it owns a tokenizer, fitted while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from vlm4vla.models.decoders.config import DecoderConfig
from vlm4vla.models.decoders.decoder import ActionDecoder
from vlm4vla.models.tokenizers import ActionTokenizer, Invalid


class Bins(ActionTokenizer):
    """Each number as the bin that it lies in, between the least and greatest that it has seen."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.register_buffer("low", torch.zeros(7))
        self.register_buffer("high", torch.zeros(7))

    def fit(self, actions):
        flat = actions.reshape(-1, 7)
        self.low = torch.minimum(self.low, flat.amin(0))
        self.high = torch.maximum(self.high, flat.amax(0))

    def encode(self, chunk):
        share = (chunk - self.low) / (self.high - self.low).clamp(min=1e-6)
        return (share * self.count).long().clamp(0, self.count - 1).flatten().tolist()

    def decode(self, said):
        if len(said) % 7 or not all(0 <= token < self.count for token in said):
            return Invalid(f"{len(said)} tokens of {self.count} bins are no chunk")
        share = (torch.tensor(said).reshape(-1, 7) + 0.5) / self.count
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True, kw_only=True)
class SpokenConfig(DecoderConfig):
    bins: int = 16

    def build(self, width, conventions):
        return Spoken(self, width)


class Spoken(ActionDecoder):
    """All tokens of a chunk at once, each by a softmax of its own."""

    def __init__(self, config, width):
        super().__init__()
        self.config, self.tokenizer = config, Bins(config.bins)
        self.out = nn.Linear(width, config.chunk * 7 * config.bins)
        self.invalid = 0

    def _logits(self, states):
        return self.out(states.last).reshape(-1, self.config.chunk * 7, self.config.bins)

    def loss(self, states, targets):
        if self.training:
            self.tokenizer.fit(targets.actions)
        said = torch.tensor([self.tokenizer.encode(chunk) for chunk in targets.actions])
        loss = functional.cross_entropy(self._logits(states).flatten(0, 1), said.flatten())
        return {"loss": loss, "tokens": loss.detach()}

    def decode(self, states, sessions: Sequence = ()):
        found = [self.tokenizer.decode(row.tolist()) for row in self._logits(states).argmax(-1)]
        self.invalid += sum(isinstance(chunk, Invalid) for chunk in found)
        still = torch.zeros(self.config.chunk, 7)
        return torch.stack([still if isinstance(chunk, Invalid) else chunk for chunk in found])
