"""What the literature claims for a suite: a line for each method, however many papers print it.

Source: `results/literature.csv`. Claims of many papers, few of whose episodes anyone else ran: what
was run again by others than its authors is told apart, as is what was read in a leaderboard that a
language model curated (`secondary`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.core.errors import UnknownName
from vlm4vla.reports.scores import ALL, grouped
from vlm4vla.reports.tables.numbers import MEAN, PERCENT, interval_text
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Cell, Exhibit, ResultTable, columns, words
from vlm4vla.stats.intervals import wilson
from vlm4vla.store import Store
from vlm4vla.store.published import LiteratureRow, literature

_HEADLINES = {"length", "success"}


@dataclass(frozen=True)
class MethodRow:
    """One method on one suite, trained on one set of scenes, under one protocol."""

    suite: str
    training_split: str
    method: str
    protocol: str
    metric: str
    lowest: float
    highest: float
    """Of what is printed of it; rates are fractions of 1."""
    rows: int
    n: int | None
    """Episodes, where one row states or the audit assumes them."""
    low: float | None
    high: float | None
    """Wilson's 95 % of one row that states n."""
    papers: tuple[str, ...]
    """arXiv ids, or titles."""
    claims: tuple[str, ...]
    """What the audit makes of the paper's claim to be better than what came before."""
    flags: tuple[str, ...]


def method_rows(suites: Sequence[str] = (), methods: Sequence[str] = ()) -> list[MethodRow]:
    """The headline of every method, the highest first, suite by suite.

    Raises UnknownName for a suite of which nothing is printed.
    """
    rows = [row for row in literature() if row.task == ALL and row.metric in _HEADLINES]
    UnknownName.check("suite in the literature", suites, {row.suite for row in rows})
    if suites:
        rows = [row for row in rows if row.suite in suites]
    if methods:
        texts = [text.casefold() for text in methods]
        rows = [row for row in rows if any(text in row.model.casefold() for text in texts)]
    # What was run again is a line of its own, beside what is claimed.
    groups = grouped(rows, "suite", "training_split", "model", "protocol", "metric")
    found = [_method(group) for group in groups]
    order = {suite: i for i, suite in enumerate(dict.fromkeys(row.suite for row in rows))}
    return sorted(found, key=lambda one: (order[one.suite], one.training_split, -one.highest))


def _method(group: Sequence[LiteratureRow]) -> MethodRow:
    first, values = group[0], [row.value for row in group]
    counted = next((row for row in group if row.n), None)
    low = high = None
    if counted is not None and counted.n and first.metric != "length":
        low, high = map(float, wilson(round(counted.value * counted.n), counted.n))
    return MethodRow(
        first.suite, first.training_split, first.model, first.protocol, first.metric, min(values),
        max(values), len(group), counted.n if counted else None, low, high,
        tuple(dict.fromkeys(row.arxiv or row.paper for row in group if row.arxiv or row.paper)),
        tuple(dict.fromkeys(row.claim for row in group if row.claim)),
        tuple(dict.fromkeys(flag for row in group for flag in row.flags)),
    )  # fmt: skip


def literature_exhibit(store: Store | None, asked: Selection) -> Exhibit:
    """A table for each suite and training split. Raises UnknownName."""
    rows = method_rows(asked.suites, asked.policies)
    tables = []
    for group in grouped(rows, "suite", "training_split"):
        numeric = ("printed", "rows", "n")
        first = group[0]
        split = f", trained on {first.training_split}" if first.training_split else ""
        shortcut = [row for row in group if "shortcut" in row.flags]
        notes = [
            f"{_value(row).line} is reached without any language ({row.method}): what the suite "
            "says of a language model lies above that"
            for row in shortcut
        ]
        notes.append("printed: lowest to highest where papers differ; Wilson where n is stated")
        heads = columns("method", *numeric, "protocol", "said of it", numeric=numeric, fold=True)
        body = tuple(_line(row) for row in group)
        tables.append(ResultTable(f"{first.suite}{split}", heads, body, tuple(notes)))
    return Exhibit(tuple(tables), rows, MethodRow)


def _line(row: MethodRow) -> tuple[Cell, ...]:
    said = ", ".join((*row.claims, *row.flags))
    return (
        *words(row.method), _value(row), *words(row.rows, row.n, row.protocol, said),
    )  # fmt: skip


def _value(row: MethodRow) -> Cell:
    unit = MEAN if row.metric == "length" else PERCENT
    text = unit.text(row.highest)
    if not math.isclose(row.lowest, row.highest):
        return Cell(f"{unit.text(row.lowest)} to {text}", value=row.highest)
    if row.low is None or row.high is None:
        return Cell(text, value=row.highest)
    return Cell(text, interval_text(row.low, row.high, unit), value=row.highest)
