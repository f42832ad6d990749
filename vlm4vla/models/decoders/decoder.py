"""The decoder contract: states in, losses or actions out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from vlm4vla.core.policy import Session
from vlm4vla.models.reading import States, Targets


class ActionDecoder(nn.Module, ABC):
    """A network behind the backbone; its weights are `decoder.*` in a checkpoint."""

    @abstractmethod
    def loss(self, states: States, targets: Targets) -> dict[str, Tensor]:
        """Scalars by name: `loss` is minimised, all are logged, shown and measured held out."""

    @abstractmethod
    def decode(self, states: States, sessions: Sequence[Session]) -> Tensor:
        """Actions float32 (B, chunk, 7) in the dataset's units.

        `sessions` (B, or none outside a run) hold the only randomness a decoder may use, and its
        memory between two queries of an episode.
        """
