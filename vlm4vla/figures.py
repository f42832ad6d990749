"""The figures of the reports, for notebooks and papers.

    from vlm4vla import figures
    figures.correlation("VLM4VLA general capability (Fig. 3 x-axis)", "calvin_abcd", published=True)

Every function draws into the `Axes` it is given as `ax`, or into a `Drawing` of its own, `width`
pixels wide: axes that a notebook shows, and whose `save` writes PDF, PNG or SVG, as the name of the
file says. `store` is an open store, its file or URL; by default `VLM4VLA_STORE` or
./results/bench.db. One that cannot be read is a StoreError.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes

from vlm4vla.core.errors import UnknownName
from vlm4vla.reports.board.board import board
from vlm4vla.reports.correlation.correlation import correlations
from vlm4vla.reports.correlation.vqa import file_rows
from vlm4vla.reports.figures.correlation import influence as _influence
from vlm4vla.reports.figures.correlation import scatter as _scatter
from vlm4vla.reports.figures.drawing import Drawing
from vlm4vla.reports.figures.intervals import Interval, intervals
from vlm4vla.reports.scores import ALL, headline
from vlm4vla.reports.tables.registry import opened
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.store import Where, reading

__all__ = ["Drawing", "correlation", "decomposition", "leaderboard"]


def correlation(
    vqa: str, suite: str, *, scores: str | Path | None = None, published: bool = False,
    store: Where = None,
    backbones: Mapping[str, str] | None = None, influence: bool = False, width: int = 620,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Backbones' scores on the benchmark `vqa` against their policies' on a suite, with the fit.

    The scores are those of the file `scores` if it is given. The policies are those of the store
    or, if `published`, as VLM4VLA prints them; `backbones` says whose backbone is which, where a
    policy's name does not tell. With `influence`, r without each backbone and family instead of
    the scatter.

    Raises:
        StoreError, UnknownName, BadInput: as `correlate`.
    """
    rows = file_rows(Path(scores))[0] if scores is not None else None
    with opened(store, Selection(published=published)) as read:
        (found,) = correlations([vqa], [suite], published, read, backbones, rows)
    return _wide(_influence(found, ax) if influence else _scatter(found, ax), width)


def decomposition(
    policy: str, *, store: Where = None, published: bool = False, width: int = 620,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Execution, recognition and overall success of one policy on the splits of the emoji task.

    If `published`, what the GrinningFace paper prints of the policy that it calls so.

    Raises:
        UnknownName: no such policy.
    """
    from vlm4vla.studies.emoji.decomposition import decomposed
    from vlm4vla.studies.emoji.decomposition_figure import decomposition as drawn

    origin = "paper" if published else "ours"
    with opened(store, Selection(published=published)) as read:
        splits = decomposed(read, (), published).splits
    scores = [one for one in splits if one.origin == origin]
    latest = {one.split: one for one in scores if one.policy == policy}
    if not latest:
        raise UnknownName("policy with emoji results", policy, {one.policy for one in scores})
    return _wide(drawn(tuple(latest.values()), ax), width)


def leaderboard(
    suite: str, metric: str = "", *, store: Where = None, width: int = 560, ax: Axes | None = None
) -> Axes:
    """The interval plot of one metric (the headline) over the policies of a suite, the best first.

    Raises:
        UnknownName: no run of the suite, or no such metric.
    """
    with reading(store) as read:
        found = board(read, [suite])
    rows = [row for row in found.rows if row.task == ALL]
    named = metric or headline(rows).metric
    chosen = [row for row in rows if row.metric == named]
    if not chosen:
        raise UnknownName(f"metric of {suite}", named, {row.metric for row in rows})
    points = [
        Interval(row.policy, row.value, row.low, row.high, "" if row.complete else row.status)
        for row in chosen
        if row.value is not None and row.low is not None and row.high is not None
    ]
    return _wide(intervals(points, chosen[0].kind == "rate", chosen[0].chance, ax), width)


def _wide(ax: Axes, width: int) -> Axes:
    if isinstance(ax, Drawing):
        ax.pixels = width
    return ax
