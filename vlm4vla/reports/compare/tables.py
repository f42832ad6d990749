"""A comparison as tables: the scores of both sides, and the difference on each task."""

from __future__ import annotations

from vlm4vla.reports.compare.comparison import Comparison
from vlm4vla.reports.compare.contrast import Contrast
from vlm4vla.reports.marks import signs
from vlm4vla.reports.scores import short_run
from vlm4vla.reports.tables.numbers import (
    MEAN,
    TENTHS,
    amount,
    estimate_cell,
    p_text,
    score,
)
from vlm4vla.reports.tables.table import Cell, Column, ResultTable, columns
from vlm4vla.stats.intervals import Estimate


def scores_table(found: Comparison) -> ResultTable:
    """A line for each metric: both sides, their difference, p; the episodes below."""
    sides = (found.first, found.second)
    heads = [f"{side.policy}{signs(side.marks)}\n{short_run(side.run)}" for side in sides]
    whole = [{row.metric: row for row in side.scores} for side in sides]
    body = [
        (Cell(one.metric), *(score(side[one.metric]) for side in whole), difference(one), _p(one.p))
        for one in found.contrasts
    ]
    done = [Cell(f"{side.scores[0].finished}/{side.scores[0].planned}") for side in sides]
    body.append((Cell("episodes"), *done, Cell(), Cell()))
    numeric = (*(Column(head, numeric=True, fold=True) for head in heads),
               *columns("difference", "p", numeric=("difference", "p")))  # fmt: skip
    return ResultTable("", (Column(""), *numeric), tuple(body))


def tasks_table(found: Comparison) -> ResultTable:
    """The headline on each task."""
    numeric = ("n", "difference", "p", "p (Holm)")
    body = tuple(
        (
            Cell(one.task),
            Cell(str(one.n), value=one.n),
            difference(one),
            *(Cell() if p is None else Cell(f"{p:.2g}", value=p) for p in (one.p, one.p_adjusted)),
        )
        for one in found.by_task
    )
    return ResultTable("", columns("task", *numeric, numeric=numeric), body)


def difference(one: Contrast) -> Cell:
    """The first run less the second, with its interval."""
    if one.difference is None or one.low is None or one.high is None:
        return Cell("n/a")
    unit = TENTHS if one.kind == "rate" else MEAN
    return estimate_cell(Estimate(one.difference, one.low, one.high), unit, signed=True)


def details(head: Contrast, alpha: float) -> dict[str, str]:
    """How the headline was tested, and what so many episodes can show."""
    lines: dict[str, str] = {}
    if head.difference is None or head.p is None:
        return lines
    level = f"{100 * (1 - alpha):g} %"
    lines["difference"] = f"{difference(head).line} {level} interval ({head.interval})"
    test = f"{head.test}, {p_text(head.p)}"
    if head.p_mid is not None:
        test += f" (mid-p {head.p_mid:.2g})"
    if head.e_value is not None:
        test += f", e = {head.e_value:.3g} of {1 / alpha:g} needed"
    lines["test"] = test
    if head.discordant is not None:
        lines["differ in"] = (
            f"{head.discordant} of {head.n}: the first is better in {head.first_only}, "
            f"the second in {head.second_only}"
        )
    if head.detectable is not None:
        lines["can show"] = f"{amount(head.detectable, head.kind)} or more (80 % power)"
    return lines


def _p(p: float | None) -> Cell:
    if p is None:
        return Cell()
    return Cell(p_text(p).removeprefix("p ").removeprefix("= "), value=p)
