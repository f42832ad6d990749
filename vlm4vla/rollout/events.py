"""What a running engine tells: plain values, importable without Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.result import EpisodeResult


@dataclass(frozen=True)
class Finished:
    """An episode has its final result, an outcome or (quarantined) an error."""

    result: EpisodeResult


@dataclass(frozen=True)
class Retried:
    """An attempt failed and the episode goes back into the schedule."""

    result: EpisodeResult


@dataclass(frozen=True)
class Tick:
    """A moment passed; what every slot is doing."""

    running: Sequence[tuple[EpisodeKey, float] | None]
    """Per slot the episode and for how many seconds it has run."""


Event = Finished | Retried | Tick
