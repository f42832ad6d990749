"""What is evaluated: one initial state of one task."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

JSON = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]


@dataclass(frozen=True, order=True)
class EpisodeKey:
    """Identity of an episode. Never a worker, a shard or a position in a list."""

    suite: str
    task: str
    init: int
    seed: int = 0

    def __str__(self) -> str:
        """`suite/task/init` with the seed where it is not 0."""
        return f"{self.suite}/{self.task}/{self.init}" + (f"@{self.seed}" if self.seed else "")

    @property
    def entropy(self) -> tuple[int, int]:
        """Seed of everything random in the episode, stable across machines and versions."""
        return self.seed, zlib.crc32(f"{self.suite}/{self.task}/{self.init}".encode())

    @property
    def lot(self) -> bytes:
        """Sorted by it, episodes stand in an order that looks random and nothing can influence."""
        return hashlib.sha256(str(self).encode()).digest()


@dataclass(frozen=True)
class Episode:
    """Everything a simulator needs to start it. JSON all the way down: it travels as text."""

    key: EpisodeKey
    instruction: str
    max_steps: int
    setup: Mapping[str, JSON] = field(default_factory=dict)
    """The initial state in the simulator's own words (poses, names, indices)."""

    @property
    def digest(self) -> str:
        """16 digits, equal where task, instruction, limit and initial state are.

        A key is a name: two suite files may mean different episodes by it.
        """
        facts = self.key.task, self.instruction, self.max_steps, dict(self.setup)
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
