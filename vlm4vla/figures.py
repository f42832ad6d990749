"""The figures of the reports, for notebooks and papers.

    from vlm4vla import figures
    figures.correlation("VLM4VLA general capability (Fig. 3 x-axis)", "calvin_abcd", published=True)

Every function returns a `Drawing`, which a notebook shows and `save` writes as SVG.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.store import Store

Where = Store | str | Path | None
"""An open store or its file; None for `VLM4VLA_STORE` or ./results/bench.db."""


@dataclass(frozen=True)
class Drawing:
    """An SVG text that stands on its own."""

    svg: str

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write it as an SVG file. Raises BadInput where that cannot be done."""
        where = Path(path)
        try:
            where.write_text(self.svg, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"{where} cannot be written: {error.strerror}.") from error
        return where


def correlation(
    vqa: str,
    suite: str,
    *,
    published: bool = False,
    store: Where = None,
    backbones: Mapping[str, str] | None = None,
    influence: bool = False,
    width: int = 620,
) -> Drawing:
    """Backbones' scores on a benchmark against those of their policies on a suite, with the fit.

    Args:
        vqa: the benchmark.
        suite: the suite.
        published: the policies as VLM4VLA prints them instead of the store's.
        store: where the runs are.
        backbones: policy -> backbone, where the policy's name does not tell.
        influence: draw r without each backbone and family instead of the scatter.
        width: pixels.

    Raises:
        StoreError, UnknownName, BadInput: as `correlate`.
    """
    from vlm4vla.reports.correlation.correlation import correlations
    from vlm4vla.reports.figures import correlation as drawn

    (found,) = correlations([vqa], [suite], published, store, backbones)
    return _drawing(drawn.influence(found) if influence else drawn.scatter(found), width)


def decomposition(
    policy: str, *, store: Where = None, published: bool = False, width: int = 620
) -> Drawing:
    """Execution, recognition and overall success of one policy on the splits of the emoji task.

    Args:
        policy: its name; with `published`, the name in the GrinningFace paper.
        store: where the runs are.
        published: draw what the paper prints instead.
        width: pixels.

    Raises:
        StoreError: the store cannot be read.
        UnknownName: no such policy.
    """
    from vlm4vla.reports.decomposition import decomposed
    from vlm4vla.reports.figures.decomposition import decomposition as drawn

    found = decomposed(store, (), published)
    origin = "paper" if published else "ours"
    known = {one.policy for one in found.splits if one.origin == origin}
    if policy not in known:
        raise UnknownName("policy with emoji results", policy, known)
    chosen = [one for one in found.splits if (one.origin, one.policy) == (origin, policy)]
    latest = {one.split: one for one in chosen}
    return _drawing(drawn(tuple(latest.values())), width)


def leaderboard(
    suite: str, metric: str = "", *, store: Where = None, width: int = 560
) -> Drawing:  # fmt: skip
    """The interval plot of one metric over the policies of a suite, the best first.

    Args:
        suite: the suite.
        metric: by default its headline.
        store: where the runs are.
        width: pixels.

    Raises:
        StoreError: the store cannot be read.
        UnknownName: no run of the suite, or no such metric.
    """
    from vlm4vla.reports.board.leaderboard import board
    from vlm4vla.reports.figures.intervals import Interval, intervals
    from vlm4vla.reports.scores import ALL

    if isinstance(store, Store):
        found = board(store, [suite])
    else:
        with Store.open(store) as opened:
            found = board(opened, [suite])
    rows = [row for row in found.rows if row.task == ALL]
    named = metric or next((row.metric for row in rows if row.headline), rows[0].metric)
    chosen = [row for row in rows if row.metric == named]
    if not chosen:
        raise UnknownName(f"metric of {suite}", named, {row.metric for row in rows})
    points = [
        Interval(row.policy, row.value, row.low, row.high, "" if row.complete else row.status)
        for row in chosen
        if row.value is not None and row.low is not None and row.high is not None
    ]
    rate, chance = chosen[0].kind == "rate", chosen[0].chance
    return _drawing(intervals(points, rate, chance), width)


def _drawing(svg: str, width: int) -> Drawing:
    from vlm4vla.reports.figures.standalone import standalone

    return Drawing(standalone(svg, width))
