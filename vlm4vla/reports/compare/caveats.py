"""What must be said beside a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.result import Outcome
from vlm4vla.reports import marks
from vlm4vla.reports.compare.contrast import Contrast, Rows
from vlm4vla.reports.scores import status_of
from vlm4vla.reports.tables.numbers import amount
from vlm4vla.store import RunRecord
from vlm4vla.store.records import RunStatus


def differing(runs: Sequence[RunRecord]) -> str:
    """Facts of comparability on which the runs disagree, in words; empty if none."""
    found = conflicts([run.comparability for run in runs])
    return ", ".join(f"{name} ({' / '.join(values)})" for name, values in found.items())


def of_checkpoints(runs: Sequence[RunRecord]) -> bool:
    """Whether all runs are of learned policies: a run has one checkpoint and no training seeds."""
    # What `RunRecord.checkpoint` says of a policy without weights: its code, or a replayed run.
    return all(run.checkpoint and not run.checkpoint.startswith(("code ", "run ")) for run in runs)


def caveats(
    runs: Sequence[RunRecord], rows: Sequence[Rows], headline: Contrast, others: Sequence[Contrast]
) -> list[str]:
    """Everything that keeps the numbers from being what they seem.

    Args:
        runs: the two runs.
        rows: their episodes.
        headline: what the verdict is about.
        others: the other metrics compared.
    """
    notes = []
    if unlike := differing(runs):
        notes.append(f"The runs are of different comparability, in {unlike}: not like for like.")
    notes += [note for run, done in zip(runs, rows, strict=True) for note in _of_run(run, done)]
    common = rows[0].keys() & rows[1].keys()
    if headline.paired and (len(common) < len(rows[0]) or len(common) < len(rows[1])):
        notes.append(
            f"Only the {len(common)} episodes that both runs finished are compared, "
            f"of {len(rows[0])} and {len(rows[1])}."
        )
    errors = sum(row.outcome is Outcome.ERROR for done in rows for row in done.values())
    if errors:
        notes.append(f"{_counted(errors, 'episode')} ended in an error and {_is(errors)} left out.")
    if headline.bound_low is not None and headline.bound_high is not None:
        low, high = (
            amount(b, headline.kind, True) for b in (headline.bound_low, headline.bound_high)
        )
        notes.append(f"Whatever became of them, the difference is within {low} to {high}.")
    for one in (headline, *others):
        if one.given and one.paired:
            notes.append(
                f"{one.metric} is compared on the {_counted(one.n, 'episode')} where both runs "
                f"have {one.given}."
            )
    for name in ("execution", "training_split"):
        values = [str(getattr(run, name)) for run in runs]
        if values[0] != values[1]:
            notes.append(f"{name.replace('_', ' ')} differs: {' / '.join(values)}.")
    own = {name for run in runs for name in marks.of_run(run, "", 0)}
    notes += [f"{sentence}." for sentence in marks.legend(own)]
    return notes


def _of_run(run: RunRecord, done: Rows) -> list[str]:
    notes = []
    status = status_of(run, len(done), len(run.plan))
    if status.startswith(RunStatus.INCOMPLETE):
        notes.append(f"Run {run.id} is {status}: what is said here may change.")
    elif status.startswith(RunStatus.DECIDED):
        notes.append(f"Run {run.id} was stopped by a sequential comparison ({status}).")
    if replaced := marks.stand_ins(run):
        notes.append(f"Run {run.id} used stand-in assets ({'; '.join(replaced)}).")
    if (looks := marks.looks(run)) > 1:
        notes.append(f"Run {run.id} is the best of {looks}, chosen on these episodes: too good.")
    return notes


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
