"""The HTML page: one file that needs no other, to be mailed, printed or read on a phone."""

from __future__ import annotations

import base64
import html
import mimetypes
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from vlm4vla import __version__
from vlm4vla.core.errors import BadInput
from vlm4vla.reports.grid import Grid, grids
from vlm4vla.reports.leaderboard import Board, board
from vlm4vla.reports.style import STYLE
from vlm4vla.reports.summary import Summary, command, configuration, summarise
from vlm4vla.reports.svg import Bar, Interval, funnel, intervals
from vlm4vla.store import Store


def write_page(
    store: Store,
    out: Path,
    suites: Collection[str] = (),
    policies: Collection[str] = (),
    all_runs: bool = False,
    sheets: Mapping[str, Path] | None = None,
) -> None:
    """Write the page to `out`.

    Args:
        store: where the runs are.
        out: the file; its folder is made.
        suites: only these.
        policies: only these.
        all_runs: every run, not only the latest of its kind.
        sheets: title -> picture, embedded.

    Raises:
        BadInput: the file cannot be written, or a picture cannot be read.
    """
    found = board(store, suites, policies, all_runs)
    summaries = {
        name: summarise(store, store.run(name))
        for name in dict.fromkeys(row.run for row in found.rows)
    }
    try:
        pictures = {title: _data_uri(path) for title, path in (sheets or {}).items()}
        text = page(found, summaries, pictures)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"The report cannot be made: {error.filename or out}: {error.strerror}.",
            "Name a file that you may write to with --out.",
        ) from error


def page(
    found: Board, summaries: Mapping[str, Summary], pictures: Mapping[str, str] | None = None
) -> str:
    """The text of the page; `pictures` are title -> URI."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    parts = [
        "<header><h1>Policy evaluation</h1>",
        f"<p>Runs: {len(summaries)}. Suites: {len(found.suites)}. "
        f"Made {made} by vlm4vla {_text(__version__)}.</p></header>",
        *(f'<p class="warning">{_text(warning)}</p>' for warning in found.warnings),
    ]
    if not found.rows:
        parts.append("<p>The store holds no runs yet.</p>")
    for grid in grids(found):
        parts += [f"<section><h2>{_text(grid.suite)}</h2>", _table(grid)]
        parts += [_plots(found, grid.suite), _funnels(found, grid.suite, summaries), "</section>"]
    if pictures:
        parts += ["<section><h2>Frames</h2>", *map(_figure, pictures.items()), "</section>"]
    parts += [_errors(summaries), "<section><h2>Runs</h2>"]
    parts += [*map(_details, summaries.values()), "</section>"]
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Policy evaluation</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _table(grid: Grid) -> str:
    head = "".join(
        f"<th{' class=number' * numeric}>{_text(name)}</th>"
        for name, numeric in zip(grid.header, grid.numeric, strict=True)
    )
    rows = []
    for line in grid.body:
        cells = []
        for name, numeric, cell in zip(grid.header, grid.numeric, line, strict=True):
            below = "".join(f"<small>{_text(line)}</small>" for line in cell.below)
            # On a phone each row becomes a card, and each cell is preceded by its column's name.
            cells.append(
                f'<td data-name="{_text(name)}"{" class=number" * numeric}>'
                f"<span>{_text(cell.text)}{below}</span></td>"
            )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    notes = "; ".join(map(_text, grid.notes))
    return (
        f"<table class=board><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<p class=notes>{notes}.</p>"
    )


def _plots(found: Board, suite: str) -> str:
    runs = found.of_suite(suite)
    plots = []
    for metric in dict.fromkeys(row.metric for rows in runs for row in rows):
        rows = [row for line in runs for row in line if row.metric == metric]
        points = [
            Interval(_label(row.policy, row.policy_options), row.value, row.low, row.high)
            for row in rows
            if row.complete and row.value is not None and row.low is not None
            and row.high is not None
        ]  # fmt: skip
        if points:
            drawing = intervals(points, rate=rows[0].kind == "rate", chance=rows[0].chance)
            plots.append(f"<figure><figcaption>{_text(metric)}</figcaption>{drawing}</figure>")
    return f"<div class=plots>{''.join(plots)}</div>" if plots else ""


def _funnels(found: Board, suite: str, summaries: Mapping[str, Summary]) -> str:
    shown = [summaries[rows[0].run] for rows in found.of_suite(suite)]
    figures = []
    for summary in shown:
        bars = [Bar(stage.name, stage.reached, stage.episodes) for stage in summary.stages]
        if bars:
            run = summary.run
            title = _label(run.policy, next(r.policy_options for r in summary.rows))
            if summary.status != "complete":
                title += f" ({summary.status})"
            figures.append(
                f"<figure><figcaption>{_text(title)}</figcaption>{funnel(bars)}</figure>"
            )
    if not figures:
        return ""
    return f"<h3>Stages reached</h3><div class=plots>{''.join(figures)}</div>"


def _errors(summaries: Mapping[str, Summary]) -> str:
    items = [
        f"<li><code>{_text(row.run)}</code> {_text(f'{row.key.task}/{row.key.init}')}: "
        f"{_text(str(row.error))}, given up after attempt {row.attempt}"
        f"<pre>{_text(row.error_text)}</pre></li>"
        for summary in summaries.values()
        for row in summary.quarantined
    ]
    repeated = sum(len(summary.faults) for summary in summaries.values())
    tail = f"<p class=notes>{repeated} failed attempts were repeated.</p>" if repeated else ""
    if not items:
        return f"<section><h2>Errors</h2><p>No episode was given up.</p>{tail}</section>"
    return f"<section><h2>Errors</h2><ul>{''.join(items)}</ul>{tail}</section>"


def _details(summary: Summary) -> str:
    run = summary.run
    tables = [("Configuration", configuration(run)), ("Comparability", run.comparability)]
    tables += [("Provenance", run.provenance)]
    tables += [("Continued with", later) for later in run.continued]
    body = "".join(
        f"<h4>{title}</h4><dl>"
        + "".join(f"<dt>{_text(k)}</dt><dd>{_text(_plain(v))}</dd>" for k, v in facts.items())
        + "</dl>"
        for title, facts in tables
    )
    typed = f"<pre>{_text(command(run))}</pre>" if command(run) else ""
    return (
        f"<article><h3>{_text(run.id)}</h3><p>{_text(summary.status)}, begun {run.created[:16]}"
        f"</p>{typed}<details><summary>Configuration, comparability, provenance</summary>"
        f"{body}</details></article>"
    )


def _figure(picture: tuple[str, str]) -> str:
    title, uri = picture
    return (
        f'<figure class=sheet><figcaption>{_text(title)}</figcaption><img alt="{_text(title)}" '
        f'src="{_text(uri)}"></figure>'
    )


def _data_uri(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _label(policy: str, options: str) -> str:
    return f"{policy} {options}".strip()


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) or "none"
    return str(value) if value not in (None, "") else "none"


def _text(value: str) -> str:
    return html.escape(value, quote=True)
