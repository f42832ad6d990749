"""Numbers in words: one way to print a value, its interval, a difference, a p."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vlm4vla.reports import marks
from vlm4vla.reports.tables.table import Cell
from vlm4vla.stats.intervals import Estimate

if TYPE_CHECKING:
    from vlm4vla.reports.board.beside import BesideRow
    from vlm4vla.reports.scores import Row

MANY = 1000
"""From so many episodes on the interval of a rate is narrow enough to show tenths of a percent."""


@dataclass(frozen=True)
class Unit:
    """How numbers of a kind are printed."""

    factor: float
    digits: int
    limits: int
    """Decimals of an interval's limits."""
    bare: bool = False
    """Limits below one are written without their zero: `.917`."""

    def text(self, value: float, signed: bool = False) -> str:
        """A value, e.g. `95.8`."""
        return f"{self.factor * value:{'+' if signed else ''}.{self.digits}f}"


PERCENT = Unit(100.0, 1, 0)
TENTHS = Unit(100.0, 1, 1)
"""Percent whose limits have tenths too."""
MEAN = Unit(1.0, 2, 2)


def unit_of(kind: str, n: int | None = None) -> Unit:
    """The unit of a metric of that kind (`rate` or `mean`) over `n` episodes."""
    return MEAN if kind == "mean" else TENTHS if (n or 0) >= MANY else PERCENT


def interval_text(
    low: float, high: float, unit: Unit = MEAN, *, signed: bool = False, at_most: bool = False,
    comma: str = ", ",
) -> str:  # fmt: skip
    """Limits in brackets: `[80, 99]`, `[+0.12, +0.40]`; `[≤ 14]` with `at_most`."""
    sign = "+" if signed else ""
    texts = [f"{unit.factor * limit:{sign}.{unit.limits}f}" for limit in (low, high)]
    if unit.bare:
        texts = [text.removeprefix("0") for text in texts]
    return f"[≤ {texts[1]}]" if at_most else f"[{comma.join(texts)}]"


def estimate_cell(
    found: Estimate | None, unit: Unit, *below: str, signed: bool = False, bracketed: bool = False
) -> Cell:
    """An estimate with its interval; `n/a` for None, all in brackets if it is no result."""
    if found is None:
        return Cell("n/a", below=below)
    text = unit.text(found.value, signed)
    interval = interval_text(found.low, found.high, unit, signed=signed)
    if bracketed:
        text, interval = f"({text}", f"{interval})"
    return Cell(text, interval, below=below, value=found)


def score(row: Row | BesideRow, needs_interval: bool = True) -> Cell:
    """A score with its interval, e.g. `95.8 [80, 99]`: percent for rates, units for means.

    Of an incomplete run it stands in brackets, of a decided one before its sign; what errors leave
    open stands below. Without an interval, which what others print may lack, it is `n/a` if
    `needs_interval`.
    """
    if row.value is None:
        return Cell("n/a")
    unit = unit_of(row.kind, row.n)
    text, interval, closing = unit.text(row.value), "", ""
    value: Estimate | float = row.value
    if row.low is not None and row.high is not None:
        value = Estimate(row.value, row.low, row.high)
        none_seen = row.k == 0 and row.low == 0.0
        interval = interval_text(row.low, row.high, unit, at_most=none_seen)
    elif needs_interval:
        return Cell("n/a")
    if marks.DECIDED.name in row.marks:
        closing = marks.DECIDED.sign
    elif {marks.INCOMPLETE.name, marks.UNFINISHED.name} & set(row.marks):
        text, closing = f"({text}", ")"
    text, interval = (text, interval + closing) if interval else (text + closing, "")
    cell = Cell(text, interval, value=value)
    if row.bound_low is None or row.bound_high is None:
        return cell
    ends = [f"{unit.factor * b:.{unit.limits}f}" for b in (row.bound_low, row.bound_high)]
    return cell.noted(f"err {' to '.join(ends)}")


def less_control(row: Row) -> Cell:
    """The difference to the control with its interval, p below; empty without a control."""
    if row.less_control is None or row.less_control_low is None or row.less_control_high is None:
        return Cell()
    found = Estimate(row.less_control, row.less_control_low, row.less_control_high)
    told = [] if row.control_p is None else [p_text(row.control_p)]
    return estimate_cell(found, TENTHS if row.kind == "rate" else MEAN, *told, signed=True)


def interval_below(cell: Cell) -> Cell:
    """The interval on a line of its own, where tenths of a percent do not fit.

    The formats that are no terminal's have all digits.
    """
    rounded = re.sub(r"\d+\.\d(?!\d)", lambda limit: _whole(limit[0]), cell.interval)
    return replace(cell.noted(rounded), interval="") if rounded else cell


def _whole(percent: str) -> str:
    """Without its tenth, but never quite 0 or 100 for something that is not."""
    text = f"{float(percent):.0f}"
    return percent if text in ("0", "100") and float(percent) != float(text) else text


def amount(value: float, kind: str, signed: bool = False) -> str:
    """A difference in its unit: points for rates, two decimals for means."""
    text = unit_of(kind).text(value, signed)
    if kind != "rate":
        return text
    return f"{text} point" + ("" if text.lstrip("+-") == "1.0" else "s")


def counted(number: int, noun: str) -> str:
    """`1 slot`, `2 slots`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def p_text(p: float) -> str:
    """`p = 0.031`, or `p < 0.0001`."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"
