"""From a stored run to a recorder: which of its episodes become demonstrations."""

from __future__ import annotations

from pathlib import Path

from vlm4vla.core.errors import OutOfRange
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.demonstrations.recorder import FrameSelection, Recorder
from vlm4vla.runs.plan import RunPlan
from vlm4vla.store import EpisodeRow, Store


def recorder(
    plan: RunPlan, store: Store, run: str, folder: Path, selection: FrameSelection
) -> Recorder:
    """Draws the run's episodes, in the suite's order, into `folder`.

    Raises BadInput where the simulator cannot draw what is asked for, or nothing is worth drawing.
    """
    facts = plan.facts(rendering=True)
    rows = {row.key: row for row in store.episodes(run) if row.outcome is not Outcome.ERROR}
    played = [(e, rows[e.key]) for e in plan.suite.episodes if e.key in rows]
    kept = [(e, r) for e, r in played if selection.failures or r.outcome is Outcome.SUCCESS]
    if not kept:
        raise OutOfRange(
            f"Run {run} has no successful episode to learn from.",
            "Look at it with `bench show`, or keep the failures too: --failures",
        )

    def result(row: EpisodeRow) -> EpisodeResult:
        return EpisodeResult(
            row.key, row.outcome, row.instruction, measures=row.measures, steps=row.steps,
            actions=store.actions(run, row.key),
        )  # fmt: skip

    return Recorder(
        played=[(episode, result(row)) for episode, row in kept],
        host=plan.host,
        folder=folder,
        selection=selection,
        origin={
            "suite": plan.suite.name,
            "policy": plan.request.policy,
            "options": dict(plan.suite.options),
            "seed": plan.request.seed,
            "comparability": {**plan.record.comparability, **facts},
        },
        provenance=plan.record.provenance,
        robot=str(plan.suite.options.get("robot", plan.simulator_spec.simulator)),
        left_out=len(played) - len(kept),
    )
