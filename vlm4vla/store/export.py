"""Episodes joined with their runs, as Parquet or CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from enum import Enum
from pathlib import Path

import pandas as pd

from vlm4vla.core.errors import BadInput
from vlm4vla.store import EpisodeRow, RunRecord, Store


def write(store: Store, runs: Sequence[RunRecord], out: Path, parquet: bool) -> int:
    """Write one row per episode of `runs` to `out`; returns how many.

    Raises:
        BadInput: the file cannot be written.
    """
    table = frame(store, runs)
    # Written beside and renamed: a reader never meets half a file, nor loses the previous one.
    partial = out.with_name(f".{out.name}.partial")
    try:
        if parquet:
            table.to_parquet(partial, index=False)
        else:
            table.to_csv(partial, index=False)
        partial.replace(out)
    except OSError as error:
        raise BadInput(
            f"{out} cannot be written: {error.strerror or error}.",
            "Name a file in an existing folder of yours with --out.",
        ) from error
    return len(table)


def frame(store: Store, runs: Iterable[RunRecord]) -> pd.DataFrame:
    """One row per episode: identity, outcome, `stage.*`, `measure.*`, timings, then its run.

    Mappings of the run are JSON text. An episode that does not report a stage or measure has an
    empty field there.
    """
    rows = [_episode(episode) | _run(run) for run in runs for episode in store.episodes(run.id)]
    if not rows:
        return pd.DataFrame(columns=["run", "suite", "task", "init", "seed", "outcome"])
    table = pd.DataFrame(rows)
    stages = [name for name in table if str(name).startswith("stage.")]
    return table.astype(dict.fromkeys(stages, "boolean"))


def _episode(row: EpisodeRow) -> dict[str, object]:
    return (
        {"run": row.run, **asdict(row.key)}
        | _cells(row, "instruction", "outcome", "success_any", "success_last")
        | {f"stage.{name}": value for name, value in row.stages.items()}
        | {f"measure.{name}": value for name, value in row.measures.items()}
        | _cells(row, "steps", "queries", "renders")
        | {f"{name}_s": seconds for name, seconds in asdict(row.timing).items()}
        | _cells(row, "attempt", "error", "error_text", "video", "memory_mb", "ended")
    )


def _run(run: RunRecord) -> dict[str, object]:
    return (
        _cells(run, "policy", "policy_options", "checkpoint", "training_split", "privileged")
        | _cells(run, "simulator", "protocol", "options", "execution", "success_rule")
        | {"planned": len(run.plan)}
        | _cells(run, "comparability", "provenance")
    )


def _cells(record: EpisodeRow | RunRecord, *names: str) -> dict[str, object]:
    """Fields of a record as a table takes them."""
    values = {name: getattr(record, name) for name in names}
    for name, value in values.items():
        if isinstance(value, Mapping):
            values[name] = json.dumps(value)
        elif isinstance(value, Enum):
            values[name] = value.value
    return values
