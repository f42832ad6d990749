"""The results store: one row per episode, one row per run."""

from vlm4vla.store.files import default_path
from vlm4vla.store.records import EpisodeRow, Fault, RunRecord, RunStatus, Trace
from vlm4vla.store.store import Store

__all__ = ["EpisodeRow", "Fault", "RunRecord", "RunStatus", "Store", "Trace", "default_path"]
