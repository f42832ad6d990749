"""The formulation contract, and its simplest case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from vlm4vla.models.reading import Frames, Reading, States


class Formulation(nn.Module, ABC):
    """Lays samples out as sequences and takes what was read of them together again."""

    def __init__(self, width: int) -> None:
        """`width` of the states it gives."""
        super().__init__()
        self.width = width

    @abstractmethod
    def sequences(
        self, images: Frames, instructions: Sequence[str]
    ) -> tuple[Frames, Sequence[str]]:
        """What the backbone reads; called by dataloader workers.

        Args:
            images: uint8 RGB (B, T, V, H, W, 3): frames by offset, oldest first, and camera.
            instructions: B texts.

        Returns:
            Pictures (N, H, W, 3), or (N, pictures, H, W, 3) where a sequence holds several; and
            N texts. N is a multiple of B.
        """

    @abstractmethod
    def states(self, reading: Reading, proprio: Tensor | None) -> States:
        """What was read of N sequences as the states of B samples."""


class OneStep(Formulation):
    """One sequence a sample: its cameras' present frames, the words, the ActionQueries."""

    def sequences(
        self, images: Frames, instructions: Sequence[str]
    ) -> tuple[Frames, Sequence[str]]:
        """See Formulation; one camera's pictures have no axis for cameras."""
        present = images[:, -1]
        return (present[:, 0] if present.shape[1] == 1 else present), instructions

    def states(self, reading: Reading, proprio: Tensor | None) -> States:
        """One position of the history."""
        queries = reading.queries.float()[:, None]
        return States(queries, proprio, reading.logits, reading.layers)
