"""Episodes joined with their runs, as Parquet or CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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
    return {
        "run": row.run,
        "suite": row.key.suite,
        "task": row.key.task,
        "init": row.key.init,
        "seed": row.key.seed,
        "instruction": row.instruction,
        "outcome": row.outcome.value,
        "success_any": row.success_any,
        "success_last": row.success_last,
        **{f"stage.{name}": value for name, value in row.stages.items()},
        **{f"measure.{name}": value for name, value in row.measures.items()},
        "steps": row.steps,
        "queries": row.queries,
        "renders": row.renders,
        "reset_s": row.timing.reset,
        "simulate_s": row.timing.simulate,
        "render_s": row.timing.render,
        "policy_s": row.timing.policy,
        "attempt": row.attempt,
        "error": row.error.value if row.error else None,
        "error_text": row.error_text,
        "video": row.video,
        "memory_mb": row.memory_mb,
        "ended": row.ended,
    }


def _run(run: RunRecord) -> dict[str, object]:
    return {
        "policy": run.policy,
        "policy_options": json.dumps(run.policy_options),
        "checkpoint": run.checkpoint,
        "training_split": run.training_split,
        "privileged": run.privileged,
        "simulator": run.simulator,
        "protocol": run.protocol,
        "options": json.dumps(run.options),
        "execution": run.execution,
        "success_rule": run.success_rule,
        "planned": len(run.plan),
        "comparability": json.dumps(run.comparability),
        "provenance": json.dumps(run.provenance),
    }
