"""What spans several suites: the emoji task taken apart, and correlations with VQA scores."""

from __future__ import annotations

from collections.abc import Sequence

from vlm4vla.reports.correlation.correlation import Correlation
from vlm4vla.reports.correlation.sentences import sentences
from vlm4vla.reports.decomposition import Decomposed, SplitScore
from vlm4vla.reports.decomposition_grid import grids
from vlm4vla.reports.figures.correlation import influence, scatter
from vlm4vla.reports.figures.decomposition import decomposition
from vlm4vla.reports.marks import signs
from vlm4vla.reports.markup import escape, figure, items, side_by_side, table


def emoji(found: Decomposed | None) -> str:
    """Execution, recognition and overall success by split; nothing without runs of the task."""
    if found is None or not found.splits:
        return ""
    policies: dict[tuple[str, str, str], list[SplitScore]] = {}
    for one in found.splits:
        policies.setdefault((one.origin, one.policy, one.variant), []).append(one)
    figures = [figure(_named(scores), decomposition(tuple(scores))) for scores in policies.values()]
    tables = "".join(f"<h3>{escape(grid.suite)}</h3>{table(grid)}" for grid in grids(found))
    return (
        '<section id="emoji"><h2>Emoji task: execution and recognition</h2>'
        f"{tables}{side_by_side(figures)}</section>"
    )


def _named(scores: Sequence[SplitScore]) -> str:
    first = scores[0]
    told = signs({mark for one in scores for mark in one.marks})
    return f"{first.policy}{told} {first.variant}".strip()


def correlations(found: Sequence[Correlation]) -> str:
    """Scatter, influence and the sentences of each correlation; nothing if none was asked for."""
    if not found:
        return ""
    parts = "".join(_correlation(one) for one in found)
    adjusted = ""
    if len(found) > 1:
        adjusted = (
            f"<p class=notes>p (Holm) is adjusted for the {len(found)} correlations together.</p>"
        )
    return (
        f'<section id="correlation"><h2>Correlation with VQA scores</h2>{parts}{adjusted}</section>'
    )


def _correlation(one: Correlation) -> str:
    figures = [
        figure("Backbones", scatter(one)),
        figure("r without each backbone and family (band: 95 % interval)", influence(one)),
    ]
    said = f"<div class=said>{items(sentences(one))}</div>"
    return (
        f"<h3>{escape(one.suite)} ({escape(one.metric)}) against {escape(one.vqa)}</h3>"
        f"<div class='plots large'>{''.join(figures)}</div>{said}"
    )
