"""Actions as tokens or as text: what a decoder says them in, and reads them from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Invalid:
    """What was said is no chunk. It is counted, never silently an action."""

    reason: str


class ActionTokenizer(nn.Module, ABC):
    """A part of the decoder that owns it, as a module among its own.

    What it has fitted or learned are its buffers and parameters: in a checkpoint they stand by
    name, `decoder.NAME.*`, and their shapes follow from the decoder's configuration.
    """

    @abstractmethod
    def encode(self, chunk: Tensor) -> Sequence[int] | str:
        """A chunk (L, 7) float32, in whichever normalisation the decoder keeps, as ids or text."""

    @abstractmethod
    def decode(self, said: Sequence[int] | str) -> Tensor | Invalid:
        """The chunk (L, 7) float32 that ids or text say. Never raises for what was generated."""
