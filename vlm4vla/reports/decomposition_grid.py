"""The decomposition as text cells: a grid of splits, and one of the gaps between them."""

from __future__ import annotations

from collections.abc import Collection

from vlm4vla.reports.board.grid import Cell, Grid, short_run
from vlm4vla.reports.decomposition import Decomposed, Gap, SplitScore
from vlm4vla.reports.marks import DECIDED, INCOMPLETE, legend, signs
from vlm4vla.stats.intervals import Estimate


def grids(found: Decomposed) -> list[Grid]:
    """Splits, then gaps where a policy was run on two of them."""
    return [_splits(found), *([_gaps(found)] if found.gaps else [])]


def _splits(found: Decomposed) -> Grid:
    marks = {mark for one in found.splits for mark in one.marks}
    notes = [
        "Rates in %, 95 % intervals (Jeffreys; overall: product of both posteriors)",
        "recognition counts executed episodes alone; chance 33.3 (p: exact, two-sided)",
        *legend(marks),
    ]
    header = ("policy", "split", "execution", "recognition", "p", "overall", "n", "from")
    numeric = (False, False, True, True, True, True, True, False)
    return Grid("execution x recognition", header, numeric,
                tuple(_line(one) for one in found.splits), tuple(notes))  # fmt: skip


def _line(one: SplitScore) -> tuple[Cell, ...]:
    bare = INCOMPLETE.name in one.marks or DECIDED.name in one.marks
    errors = (f"+ {one.errors} err",) if one.errors else ()
    source = short_run(one.source) if one.origin == "ours" else one.source
    p = "" if one.p_chance is None else f"{one.p_chance:.2g}"
    return (
        Cell(one.policy + signs(one.marks), (one.variant,) if one.variant else ()),
        Cell(one.split),
        _rate(one.execution, bare),
        _rate(one.recognition, bare, f"of {one.executed}"),
        Cell(p),
        _rate(one.overall, bare),
        Cell(str(one.n), errors),
        Cell(source),
    )


def _gaps(found: Decomposed) -> Grid:
    header = ("policy", "gap", "recognition", "P(loses)", "overall")
    notes = [
        "Percentage points, 95 % intervals of the difference of the posteriors",
        "P(loses): posterior probability that recognition is worse on the second split",
        "one training seed: of checkpoints, not of methods",
    ]
    marks: dict[tuple[str, str, str], set[str]] = {}
    for score in found.splits:
        marks.setdefault((score.origin, score.policy, score.variant), set()).update(score.marks)
    body = tuple(_gap(one, marks[one.origin, one.policy, one.variant]) for one in found.gaps)
    return Grid("what is lost from one split to another", header,
                (False, False, True, True, True), body, tuple(notes))  # fmt: skip


def _gap(one: Gap, marks: Collection[str]) -> tuple[Cell, ...]:
    loses = "" if one.p_loses is None else f"{one.p_loses:.3f}"
    return (
        Cell(one.policy + signs(marks), (one.variant,) if one.variant else ()),
        Cell(f"{one.first} - {one.second}"),
        _points(one.recognition),
        Cell(loses),
        _points(one.overall),
    )


def _rate(one: Estimate | None, bare: bool, *below: str) -> Cell:
    if one is None:
        return Cell("n/a")
    text = f"{100 * one.value:.1f} [{100 * one.low:.0f}, {100 * one.high:.0f}]"
    return Cell(f"({text})" if bare else text, below)


def _points(one: Estimate | None) -> Cell:
    if one is None:
        return Cell("n/a")
    return Cell(f"{100 * one.value:+.1f} [{100 * one.low:+.0f}, {100 * one.high:+.0f}]")
