"""Which drawings the page shows, and what is said below them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes

from vlm4vla.reports.compare.comparison import Comparison
from vlm4vla.reports.figures.episodes import funnel, lengths, seconds, survival
from vlm4vla.reports.figures.intervals import Interval, differences, intervals
from vlm4vla.reports.page.content import PageRun
from vlm4vla.reports.scores import Row
from vlm4vla.reports.summary import Stage
from vlm4vla.reports.tables.numbers import p_text

Plot = tuple[str, Axes, str]
"""The caption, the drawing, and what must be said below it."""


def of_scores(runs: Sequence[PageRun]) -> Iterator[Plot]:
    """The intervals of every metric; of chains, which are drawn otherwise, of the headline."""
    metrics = dict.fromkeys(row.metric for run in runs for row in run.rows)
    for metric in [runs[0].headline.metric] if any(r.summary.chains for r in runs) else metrics:
        shown = [(run, row) for run in runs for row in run.rows if row.metric == metric]
        drawn = {run.label: _interval(run, row) for run, row in shown}
        points = [point for point in drawn.values() if point is not None]
        if not points:
            continue
        first = shown[0][1]
        notes = []
        if first.chance is not None:
            notes.append(f"Dashed: chance, {100 * first.chance:.1f} %.")
        if any(point.bounds for point in points):
            notes.append("Bracket below: what the errors leave open.")
        if any(point.hollow for point in points):
            notes.append("Hollow: a decided run.")
        if hidden := [label for label, point in drawn.items() if point is None]:
            notes.append(f"Not drawn, being incomplete or undefined: {', '.join(hidden)}.")
        rate = first.kind == "rate"
        caption = f"{metric}{', %' * rate}, 95 % intervals"
        yield caption, intervals(points, rate, first.chance), " ".join(notes)


def _interval(run: PageRun, row: Row) -> Interval | None:
    """What is drawn of a score; None where it is incomplete or undefined."""
    if row.value is None or row.low is None or row.high is None:
        return None
    if not (row.complete or row.decided):
        return None
    bounds = None
    if row.bound_low is not None and row.bound_high is not None:
        bounds = row.bound_low, row.bound_high
    return Interval(run.label, row.value, row.low, row.high, run.note, bounds, row.decided)


def of_contrasts(contrasts: Mapping[str, Comparison | str]) -> Iterator[Plot]:
    """One drawing of the differences to the first run, if there are any."""
    points, rate, metric = [], True, ""
    for label, found in contrasts.items():
        if isinstance(found, str):
            continue
        head = found.headline
        if head.difference is None or head.low is None or head.high is None:
            continue
        rate, metric = head.kind == "rate", head.metric
        pairs = head.discordant
        note = f"{head.n} pairs" if pairs is None else f"{pairs}/{head.n} differ"
        if head.p is not None:
            note += f", {p_text(head.p)}"
        open_ = head.p is None or head.p > found.alpha
        points.append(Interval(label, head.difference, head.low, head.high, note, hollow=open_))
    if points:
        caption = f"{metric}{', points' * rate}: difference to the first row"
        said = "On identical episodes, with 95 % intervals. Hollow: not separable (p > 0.05)."
        yield caption, differences(points, rate), said


def of_chains(runs: Sequence[PageRun]) -> Iterator[Plot]:
    """How far the chains of all runs came."""
    chains = {run.label: run.summary.chains for run in runs}
    yield "Chains with at least so many subtasks solved, %", survival(chains), ""
    yield "Chains by subtasks solved", lengths(chains), ""


def of_stages(runs: Sequence[PageRun]) -> Iterator[Plot]:
    """How far single tasks came, run by run."""
    for run in runs:
        if stages := run.summary.stages:
            most = max(stage.episodes for stage in stages)
            success = Stage("success", run.summary.successes, most)
            caption = f"{run.label} ({run.note})" if run.note else run.label
            yield caption, funnel((*stages, success)), ""


def of_time(runs: Sequence[PageRun]) -> Iterator[Plot]:
    """One drawing of where the time went, if it was measured."""
    timed = {run.label: run.summary.time for run in runs}
    if spent := {label: time for label, time in timed.items() if any(time.parts.values())}:
        note = "policy: waiting for the policy's server, transport and inference together."
        yield "Mean time of an episode", seconds(spent), note
