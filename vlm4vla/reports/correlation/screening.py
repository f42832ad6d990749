"""Every benchmark against every suite: a look around, not a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.correlation.capability import suite_axes, vqa_axis
from vlm4vla.reports.correlation.correlation import Correlation, NoCorrelation, correlation
from vlm4vla.reports.correlation.vqa import score_rows
from vlm4vla.reports.tables.numbers import interval_text
from vlm4vla.reports.tables.table import Exhibit, ResultTable, columns, words
from vlm4vla.stats.multiplicity import benjamini_hochberg
from vlm4vla.store import Store

FEWEST_SCREENED = 4
"""Of three, only six orders exist, and no p is below 1/3."""


def screen(
    suites: Sequence[str] = (),
    published: bool = False,
    store: Store | None = None,
    backbones: Mapping[str, str] | None = None,
) -> list[tuple[Correlation, float]]:
    """Every benchmark against every suite, p adjusted for all of them, the smallest p first.

    Exploration: among dozens of correlations over a handful of backbones some look strong by
    chance. The adjusted p (Benjamini & Hochberg 1995) bounds the expected share of false ones among
    those below a level; for a claim, name one benchmark beforehand (`correlate`, Holm).

    Positions read off a figure are left out: they are no benchmark. Arguments and errors are those
    of `correlations`; BadInput is also raised where no pair has enough backbones.
    """
    rows = [row for row in score_rows(store) if row.backbone]
    ys = suite_axes(suites, published, store, backbones or {})
    found: list[Correlation] = []
    for name in dict.fromkeys(row.benchmark for row in rows if row.unit != "position"):
        if len({row.backbone for row in rows if row.benchmark == name}) >= FEWEST_SCREENED:
            x = vqa_axis(name, rows, shipped_first=published)
            for y in ys:
                with suppress(NoCorrelation):
                    found.append(correlation(x, y, published))
    enough = [one for one in found if one.n >= FEWEST_SCREENED]
    if not enough:
        raise BadInput(
            f"No benchmark and suite have {FEWEST_SCREENED} backbones in common.",
            "`bench vqa list` shows who has which score.",
        )
    adjusted = map(float, benjamini_hochberg([one.p for one in enough]))
    return sorted(zip(enough, adjusted, strict=True), key=lambda pair: pair[0].p)


_OF_A_PAIR = ("suite", "vqa", "n", "pearson", "low", "high", "spearman", "p")


def screening_exhibit(
    store: Store | None, suites: Sequence[str], published: bool, named: Mapping[str, str]
) -> Exhibit:
    """As `screen`, as a table; a program is told of every pair what is in `_OF_A_PAIR`."""
    found = screen(suites, published, store, named)
    numeric = ("n", "r", "95 %", "rho", "p", "p (BH)")
    heads = columns("benchmark", "suite", *numeric, numeric=numeric, fold=True)
    body = tuple(
        words(
            one.vqa, one.suite, one.n, f"{one.pearson:.2f}", interval_text(one.low, one.high),
            f"{one.spearman:.2f}", f"{one.p:.3f}", f"{p_bh:.3f}",
        )
        for one, p_bh in found
    )  # fmt: skip
    records = [
        {name: getattr(one, name) for name in _OF_A_PAIR}
        | {"p_bh": p_bh, "lacking_x": one.lacking_x}
        for one, p_bh in found
    ]
    remark = (
        f"{len(found)} pairs with {FEWEST_SCREENED} backbones or more, p adjusted for all of them "
        "(Benjamini-Hochberg): a look around, not a claim."
    )
    return Exhibit((ResultTable("", heads, body),), records, remarks=(remark,))
