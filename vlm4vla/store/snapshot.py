"""A store read once: whatever a report asks for again, it gets the same rows."""

from __future__ import annotations

from functools import cache

from vlm4vla.store.records import EpisodeRow, Fault, RunRecord
from vlm4vla.store.store import Store


class StoreSnapshot(Store):
    """What was read of a store, kept.

    The parts of a report agree with each other, even while runs are going on, and no run is read
    twice. It holds every row it was asked for in memory, and closing is left to the store.
    """

    def __init__(self, store: Store) -> None:
        """A view of `store`, which stays open as long."""
        super().__init__(store._db)
        self._runs, self._episodes = cache(super().runs), cache(super().episodes)
        self._faults = cache(super().faults)

    @classmethod
    def of(cls, store: Store) -> StoreSnapshot:
        """A snapshot of the store, or the store itself if it is one."""
        return store if isinstance(store, cls) else cls(store)

    def runs(self) -> list[RunRecord]:
        """Every run, the oldest first."""
        return list(self._runs())

    def run(self, name: str) -> RunRecord:
        """The run of that id, as first seen; otherwise as `Store.run`."""
        known = {run.id: run for run in self.runs()}
        return known[name] if name in known else super().run(name)

    def episodes(self, run: str) -> list[EpisodeRow]:
        """The rows of a run, sorted by episode key."""
        return list(self._episodes(run))

    def faults(self, run: str) -> list[Fault]:
        """The failed attempts of a run, the oldest first."""
        return list(self._faults(run))
