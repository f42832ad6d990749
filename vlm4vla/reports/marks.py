"""What must be said beside a number: the marks of a run, their signs, and what they mean.

Every report takes them from here, so that a run carries the same signs wherever it appears.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from vlm4vla.core import comparability
from vlm4vla.core.episode import JSON
from vlm4vla.store.records import RunRecord, RunStatus


@dataclass(frozen=True)
class Mark:
    """One thing that a reader must know before using a number."""

    name: str
    """As JSON and CSV carry it."""
    sign: str
    """Behind the policy's name; empty where the number itself shows it."""
    meaning: str


PRIVILEGED = Mark("privileged", "†", "reads the simulator's state: a bound, not a result")
BEST = Mark(
    "best of many", "‡", "best of several checkpoints or settings, chosen on these episodes"
)
STAND_IN = Mark("stand-in assets", "△", "on assets that stand in for the benchmark's own")
UNLIKE = Mark("other comparability", "≠", "not comparable with the rows that lack this sign")
DECIDED = Mark(
    "decided", "◊", "stopped by a sequential comparison: its limits hold whenever one stops"
)
INCOMPLETE = Mark("incomplete", "", "(in brackets: of an incomplete run, no result)")
ERRORS = Mark("errors", "", "err: the range if every error were a failure or a success")
IMPORTED = Mark("imported", "¶", "imported: measured by another harness, not by this one")
UNFINISHED = Mark("unfinished", "", "(in brackets: imported from an unfinished run, no result)")
UNSTATED = Mark("n not stated", "", "n ?: the number of trials is not stated")
FLAGGED = Mark("flagged", "§", "the printed number contradicts others: results/README.md")

MARKS = {
    mark.name: mark
    for mark in (
        PRIVILEGED, BEST, STAND_IN, UNLIKE, DECIDED, INCOMPLETE, ERRORS, IMPORTED, UNFINISHED,
        UNSTATED, FLAGGED,
    )
}  # fmt: skip
"""All of them by name, in the order of their signs."""

SELECTED = "selected_from"
"""The fact of provenance that counts the looks (`bench run` and `import` `--selected-from`)."""


def of_run(run: RunRecord, status: str, errors: int) -> tuple[str, ...]:
    """Names of the marks of one run by itself; `UNLIKE` needs the others.

    Its `status` as of `Row`; `errors` are the quarantined episodes behind the number.
    """
    found = {
        PRIVILEGED: run.privileged,
        BEST: looks(run) > 1,
        STAND_IN: bool(stand_ins(run)),
        DECIDED: status.startswith(RunStatus.DECIDED),
        INCOMPLETE: status.startswith(RunStatus.INCOMPLETE),
        ERRORS: errors > 0,
    }
    return tuple(mark.name for mark, holds in found.items() if holds)


def looks(run: RunRecord) -> int:
    """Among how many checkpoints or settings it was chosen by its score on the same episodes."""
    return looks_of([run.provenance, *run.continued])


def looks_of(provenances: Iterable[Mapping[str, JSON]]) -> int:
    """The most looks that any of these says; 1 if none does."""
    stated = [facts.get(SELECTED) for facts in provenances]
    return max((count for count in stated if isinstance(count, int)), default=1)


def stand_ins(run: RunRecord) -> tuple[str, ...]:
    """Which assets of the benchmark were replaced, each by what, in words."""
    found = []
    for name, value in run.comparability.items():
        if name.startswith(comparability.STAND_IN):
            what = name.removeprefix(comparability.STAND_IN).lstrip(".")
            found.append(f"{what}: {value}" if what else str(value))
    return tuple(found)


def signs(marks: Collection[str]) -> str:
    """What stands behind a policy's name."""
    return "".join(mark.sign for mark in MARKS.values() if mark.name in marks)


def legend(marks: Collection[str]) -> list[str]:
    """A sentence for each sign or bracket that appears, in one order everywhere."""
    return [f"{mark.sign} {mark.meaning}".strip() for mark in MARKS.values() if mark.name in marks]
