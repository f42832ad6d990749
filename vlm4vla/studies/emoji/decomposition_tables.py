"""The decomposition as tables: one of splits, and one of the gaps between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vlm4vla.reports.board.leaderboard import POLICY
from vlm4vla.reports.marks import DECIDED, INCOMPLETE, MARKS, legend, signs
from vlm4vla.reports.scores import grouped, short_run
from vlm4vla.reports.tables.numbers import PERCENT, estimate_cell
from vlm4vla.reports.tables.registry import NothingToShow
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Cell, Column, Exhibit, ResultTable, columns
from vlm4vla.store import Store
from vlm4vla.studies.emoji.decomposition import FAMILY, Decomposed, Gap, SplitScore, of_store

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FROM = Column("from", fold=True, least=13)


def decomposition_exhibit(store: Store | None, asked: Selection) -> Exhibit:
    """Splits and gaps of what is in the store, and of the paper if asked for.

    Raises:
        NothingToShow: no episode of the emoji task is finished, or other suites are asked for.
    """
    if asked.suites and not any(suite.startswith(FAMILY) for suite in asked.suites):
        raise NothingToShow("None of these suites is of the emoji task.", "Leave --suite out.")
    found = of_store(store, asked.policies, asked.published)
    return Exhibit(
        tables=tuple(tables(found)),
        records=found.splits,
        record=SplitScore,
        data=found,
        warnings=found.warnings,
        name="emoji",
        heading="Emoji task: execution and recognition",
        drawings=lambda: _drawings(found),
    )


def _drawings(found: Decomposed) -> Iterator[tuple[str, Axes]]:
    """Each policy's execution, recognition and overall success by split."""
    from vlm4vla.studies.emoji.decomposition_figure import decomposition

    for scores in grouped(found.splits, "key"):
        _, policy, variant = scores[0].key
        told = signs({mark for one in scores for mark in one.marks})
        yield f"{policy}{told} {variant}".strip(), decomposition(tuple(scores))


def tables(found: Decomposed) -> list[ResultTable]:
    """Splits, then gaps where a policy was run on two of them."""
    return [_splits(found), *([_gaps(found)] if found.gaps else [])]


def _splits(found: Decomposed) -> ResultTable:
    notes = (
        "Rates in %, 95 % intervals (Jeffreys; overall: product of both posteriors)",
        "recognition counts executed episodes alone; chance 33.3 (p: exact, two-sided)",
        *legend({mark for one in found.splits for mark in one.marks}),
    )
    numeric = ("execution", "recognition", "p", "overall", "n")
    heads = (POLICY, *columns("split", *numeric, numeric=numeric), _FROM)
    return ResultTable("execution x recognition", heads, tuple(map(_line, found.splits)), notes)


def _line(one: SplitScore) -> tuple[Cell, ...]:
    bare = INCOMPLETE.name in one.marks or DECIDED.name in one.marks
    errors = (f"+ {one.errors} err",) if one.errors else ()
    p = Cell() if one.p_chance is None else Cell(f"{one.p_chance:.2g}", value=one.p_chance)
    read = (f"of {one.executed}",) if one.recognition else ()
    return (
        Cell(one.policy, marks=one.marks, below=(one.variant,) if one.variant else ()),
        Cell(one.split),
        estimate_cell(one.execution, PERCENT, bracketed=bare),
        estimate_cell(one.recognition, PERCENT, *read, bracketed=bare),
        p,
        estimate_cell(one.overall, PERCENT, bracketed=bare),
        Cell(str(one.n), below=errors, value=one.n),
        Cell(short_run(one.source) if one.origin == "ours" else one.source),
    )


def _gaps(found: Decomposed) -> ResultTable:
    notes = (
        "Percentage points, 95 % intervals of the difference of the posteriors",
        "P(loses): posterior probability that recognition is worse on the second split",
        "one training seed: of checkpoints, not of methods",
    )
    marked: dict[tuple[str, str, str], set[str]] = {}
    for score in found.splits:
        marked.setdefault(score.key, set()).update(score.marks)
    body = tuple(
        _gap(one, tuple(name for name in MARKS if name in marked[one.key])) for one in found.gaps
    )
    numeric = ("recognition", "P(loses)", "overall")
    heads = (POLICY, *columns("gap", *numeric, numeric=numeric))
    return ResultTable("what is lost from one split to another", heads, body, notes)


def _gap(one: Gap, marked: tuple[str, ...]) -> tuple[Cell, ...]:
    loses = Cell() if one.p_loses is None else Cell(f"{one.p_loses:.3f}", value=one.p_loses)
    return (
        Cell(one.policy, marks=marked, below=(one.variant,) if one.variant else ()),
        Cell(f"{one.first} - {one.second}"),
        estimate_cell(one.recognition, PERCENT, signed=True),
        loses,
        estimate_cell(one.overall, PERCENT, signed=True),
    )
