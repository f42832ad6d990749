"""How much of a model's ability a training left: the same questions, asked before and after."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.scores import BOOTSTRAP_SEED
from vlm4vla.reports.tables.numbers import TENTHS, estimate_cell, interval_text, p_text
from vlm4vla.reports.tables.table import Cell, Exhibit, ResultTable, columns, words
from vlm4vla.stats.intervals import Estimate
from vlm4vla.stats.multiplicity import holm
from vlm4vla.stats.paired import PairedCounts, mcnemar, sign_flip
from vlm4vla.stats.ratio import retained
from vlm4vla.store.importers.items import ItemTable, item_files, read_items


@dataclass(frozen=True)
class Retention:
    """One benchmark before and after, on the questions that both were asked."""

    benchmark: str
    before_model: str
    after_model: str
    metric: str
    n: int
    """Questions in both."""
    alone: int
    """Questions in one of both only, which are left out."""
    before: float
    after: float
    kept: float
    """After over before; NaN where nothing was right before."""
    kept_low: float
    kept_high: float
    forgotten: int | None
    """Right before and wrong after; None where answers may be partly right."""
    learned: int | None
    test: str
    p: float
    p_holm: float


def retentions(before: Path, after: Path, names: Sequence[str] = ()) -> list[Retention]:
    """Every benchmark of which both places hold single answers, or those called `names`.

    Args:
        before: a kit's file of single answers, or a folder of such files.
        after: the same of the model after its training.
        names: benchmarks; all if empty.

    Raises:
        InvalidFile: no such file, or one that cannot be read.
        BadInput: no benchmark or no question in common.
    """
    first, second = _tables(before), _tables(after)
    common = [name for name in first if name in second and (not names or name in names)]
    if not common:
        has = [", ".join(tables) for tables in (first, second)]
        fix = "Run the same benchmarks on both models: bench vqa run --kit KIT --task NAME"
        raise BadInput(f"No benchmark in common: {before} has {has[0]}; {after} has {has[1]}.", fix)
    found = [_retention(first[name], second[name]) for name in common]
    adjusted = holm([one.p for one in found])
    return [replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True)]


def _tables(place: Path) -> dict[str, ItemTable]:
    found: dict[str, ItemTable] = {}
    for table in map(read_items, item_files(place)):
        if table.benchmark in found:
            one = found[table.benchmark].file
            fix = "Name a folder of one model, or the file."
            raise BadInput(f"{place} holds {table.benchmark} twice: {one}, {table.file}.", fix)
        found[table.benchmark] = table
    return found


def _retention(before: ItemTable, after: ItemTable) -> Retention:
    one, other = _by_key(before), _by_key(after)
    keys = [key for key in one if key in other]
    if not keys:
        raise BadInput(
            f"{before.benchmark}: no question of {before.file} is in {after.file}.",
            "Their hashes differ: evaluate both models with the same version of kit and data.",
        )
    first, second = (np.array([side[key] for key in keys]) for side in (one, other))
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    kept = retained(first, second, generator)
    forgotten = learned = None
    if np.isin([first, second], (0, 1)).all():
        table = PairedCounts.of(second, first)
        forgotten, learned = table.second_only, table.first_only
        test, p = "McNemar's exact", float(mcnemar(learned, forgotten))
    else:
        test, p = "sign-flip permutation", sign_flip([second - first], generator)[0]
    return Retention(
        before.benchmark, before.model, after.model, after.metric or "score", len(keys),
        len(one) + len(other) - 2 * len(keys), float(first.mean()), float(second.mean()),
        kept.value, kept.low, kept.high, forgotten, learned, test, p, p,
    )  # fmt: skip


def _by_key(table: ItemTable) -> Mapping[str, float]:
    """Scores by question. A question that is asked again is another one."""
    times: Counter[str] = Counter()
    found = {}
    for item in table.items:
        times[item.key] += 1
        found[f"{item.key} {times[item.key]}"] = item.score
    return found


def retention_exhibit(rows: Sequence[Retention]) -> Exhibit:
    """A line for each benchmark."""
    numeric = ("before", "after", "kept %", "forgot", "learned", "p", "Holm", "n")
    table = ResultTable(
        f"{rows[0].before_model} -> {rows[0].after_model}",
        columns("benchmark", *numeric, numeric=numeric, fold=True),
        tuple(map(_line, rows)),
        ("kept: after over before, 95 %; questions are taken as independent of each other",),
    )
    warnings = [
        f"{row.benchmark}: {row.alone} questions are in one of the two files only, and left out"
        for row in rows
        if row.alone
    ]
    return Exhibit((table,), rows, Retention, warnings=tuple(warnings))


def _line(row: Retention) -> tuple[Cell, ...]:
    kept = Estimate(row.kept, row.kept_low, row.kept_high)
    if math.isnan(kept.value):
        cell = Cell("n/a")
    elif math.isfinite(kept.high):
        cell = estimate_cell(kept, TENTHS)
    else:
        cell = Cell(TENTHS.text(kept.value), value=kept.value)
        if not math.isnan(kept.low):
            cell = replace(cell, interval=interval_text(kept.low, kept.high, TENTHS))
    counts = words(row.forgotten, row.learned)
    ps = words(p_text(row.p).removeprefix("p = "), p_text(row.p_holm).removeprefix("p = "))
    rates = words(TENTHS.text(row.before), TENTHS.text(row.after))
    return (*words(row.benchmark), *rates, cell, *counts, *ps, *words(row.n))
