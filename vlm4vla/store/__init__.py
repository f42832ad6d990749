"""The results store: one row per episode, one row per run."""

from vlm4vla.store.files import beside
from vlm4vla.store.records import EpisodeRow, Fault, RunRecord, RunStatus, Trace
from vlm4vla.store.store import Store, StoreSnapshot, Where, reading, reading_if_any

__all__ = [
    "EpisodeRow",
    "Fault",
    "RunRecord",
    "RunStatus",
    "Store",
    "StoreSnapshot",
    "Trace",
    "Where",
    "beside",
    "reading",
    "reading_if_any",
]
