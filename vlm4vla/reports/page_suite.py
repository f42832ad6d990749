"""One suite on the page: its tables, its drawings, what its policies saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlm4vla.reports import marks
from vlm4vla.reports.compare.verdict import p_text
from vlm4vla.reports.content import Contrasted, Entry, SuitePart
from vlm4vla.reports.figures.chains import lengths, survival
from vlm4vla.reports.figures.difference import Difference, differences
from vlm4vla.reports.figures.funnel import Bar, funnel
from vlm4vla.reports.figures.intervals import Interval, intervals
from vlm4vla.reports.figures.seconds import Spent, seconds
from vlm4vla.reports.markup import anchor, escape, figure, folded, items, side_by_side, table
from vlm4vla.reports.scores import Row


def section(part: SuitePart, pictures: str) -> str:
    """The suite's section; `pictures` is the markup of its contact sheets."""
    parts = [
        f'<section id="{anchor(part.suite)}"><h2>{escape(part.suite)}</h2>',
        table(part.leaderboard),
        part.beside and folded("Beside others: papers and imports", table(part.beside)),
        _tasks(part),
        *(folded(grid.suite, table(grid)) for grid in part.further),
        side_by_side(_scores(part.entries)),
        _differences(part.contrasts),
        _stages(part.entries),
        pictures and f"<h3>What the policies saw</h3>{pictures}",
        _time(part.entries),
        "</section>",
    ]
    return "\n".join(text for text in parts if text)


def _tasks(part: SuitePart) -> str:
    if part.tasks is None or part.by_task is None:
        return ""
    metric = part.entries[0].headline.metric
    every = folded("Every metric by task", table(part.by_task))
    return f"<h3>{escape(metric)} by task</h3>{table(part.tasks)}{every}"


def _scores(entries: Sequence[Entry]) -> Iterator[str]:
    metrics = dict.fromkeys(row.metric for entry in entries for row in entry.rows)
    if any(entry.chains for entry in entries):  # the other metrics are drawn as chain lengths
        metrics = dict.fromkeys([entries[0].headline.metric])
    for metric in metrics:
        found = [(e, row) for e in entries for row in e.rows if row.metric == metric]
        points = [_interval(entry, row) for entry, row in found if _drawn(row)]
        first = found[0][1]
        notes = []
        if first.chance is not None:
            notes.append(f"Dashed: chance, {100 * first.chance:.1f} %.")
        if any(point.bounds for point in points):
            notes.append("Bracket below: what the errors leave open.")
        if any(point.hollow for point in points):
            notes.append("Hollow: a decided run.")
        hidden = [entry.label for entry, row in found if not _drawn(row)]
        if hidden:
            notes.append(f"Not drawn, being incomplete or undefined: {', '.join(hidden)}.")
        if points:
            unit = ", %" if first.kind == "rate" else ""
            drawing = intervals(points, first.kind == "rate", first.chance)
            yield figure(f"{metric}{unit}, 95 % intervals", drawing, " ".join(notes))


def _drawn(row: Row) -> bool:
    defined = row.value is not None and row.low is not None and row.high is not None
    return defined and (row.complete or row.decided)


def _interval(entry: Entry, row: Row) -> Interval:
    assert row.value is not None and row.low is not None and row.high is not None
    bounds = None
    if row.bound_low is not None and row.bound_high is not None:
        bounds = row.bound_low, row.bound_high
    return Interval(entry.label, row.value, row.low, row.high, entry.note, bounds, row.decided)


def _differences(contrasts: Sequence[Contrasted]) -> str:
    if not contrasts:
        return ""
    rows, said, kind, metric = [], [], "rate", ""
    for one in contrasts:
        if one.found is None:
            said.append(f"{one.label}: {one.refusal}")
            continue
        head = one.found.headline
        said.append(f"{one.label}: {one.found.verdict.text}")
        if head.difference is None or head.low is None or head.high is None:
            continue
        kind, metric = head.kind, head.metric
        note = (
            f"{head.n} pairs" if head.discordant is None else f"{head.discordant}/{head.n} differ"
        )
        if head.p is not None:
            note += f", {p_text(head.p)}"
        open_ = head.p is None or head.p > one.found.alpha
        rows.append(Difference(one.label, head.difference, head.low, head.high, note, open_))
    drawing = ""
    if rows:
        unit = ", points" if kind == "rate" else ""
        drawing = figure(
            f"{metric}{unit}: difference to the first row",
            differences(rows, kind == "rate"),
            "On identical episodes, with 95 % intervals. Hollow: not separable (p > 0.05).",
        )
    adjusted = [f"{one.label} {one.p_holm:.2g}" for one in contrasts if one.p_holm is not None]
    tail = ""
    if len(adjusted) > 1:
        tail = f"p adjusted for {len(adjusted)} comparisons (Holm): {', '.join(adjusted)}."
    body = f"<div class=said>{items(said)}<p class=notes>{escape(tail)}</p></div>"
    return f'<h3>Differences</h3><div class="plots pair">{drawing}{body}</div>'


def _stages(entries: Sequence[Entry]) -> str:
    chains = [entry.chains for entry in entries if entry.chains is not None]
    if chains:
        figures = [
            figure("Chains with at least so many subtasks solved, %", survival(chains)),
            figure("Chains by subtasks solved", lengths(chains)),
        ]
        return f"<h3>Chain lengths</h3>{side_by_side(figures)}"
    figures = [figure(_titled(entry), funnel(_bars(entry))) for entry in entries if _bars(entry)]
    return f"<h3>Stages reached</h3>{side_by_side(figures)}" if figures else ""


def _bars(entry: Entry) -> list[Bar]:
    bars = [Bar(stage.name, stage.reached, stage.episodes) for stage in entry.summary.stages]
    total = max((bar.total for bar in bars), default=0)
    return [*bars, Bar("success", entry.successes, total)] if bars else []


def _titled(entry: Entry) -> str:
    return f"{entry.label} ({entry.note})" if entry.note else entry.label


def _time(entries: Sequence[Entry]) -> str:
    spent = [
        Spent(entry.label, entry.summary.time.parts, entry.summary.finished)
        for entry in entries
        if entry.summary.time.total
    ]
    if not spent:
        return ""
    drawing = figure(
        "Mean time of an episode",
        seconds(spent),
        "policy: waiting for the policy's server, transport and inference together.",
    )
    return f"<h3>Time</h3>{side_by_side([drawing])}"


def legend(entries: Sequence[Entry]) -> list[str]:
    """What the signs on the page mean."""
    return marks.legend({name for entry in entries for row in entry.rows for name in row.marks})
