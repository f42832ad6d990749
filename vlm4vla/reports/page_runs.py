"""The end of the page: what went wrong, what the runs are, and how to repeat them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from vlm4vla.reports.board.grid import Cell, Grid
from vlm4vla.reports.commands import environment, repeat
from vlm4vla.reports.content import Content, Entry, SuitePart
from vlm4vla.reports.markup import anchor, command, escape, facts, folded, table
from vlm4vla.reports.summary import Summary, configuration

SHOWN = 12
"""More errors of a run than that are counted, not printed."""


def errors(content: Content) -> str:
    """Quarantined episodes with their causes, and the attempts that were repeated."""
    parts = [_errors(entry) for entry in content.entries]
    repeated = sum(len(entry.summary.faults) for entry in content.entries)
    tail = f"<p class=notes>{repeated} failed attempts were repeated.</p>" if repeated else ""
    body = "".join(parts) or "<p>No episode was given up.</p>"
    return f'<section id="errors"><h2>Errors</h2>{body}{tail}</section>'


def _errors(entry: Entry) -> str:
    lost = entry.summary.quarantined
    if not lost:
        return ""
    head = entry.headline
    text = f"{len(lost)} of {head.planned} episodes were given up and count neither way"
    if head.bound_low is not None and head.bound_high is not None:
        text += (
            f": {head.metric} lies between {100 * head.bound_low:.1f} % (all of them failures) "
            f"and {100 * head.bound_high:.1f} % (all successes)"
        )
    kinds = Counter(str(row.error) for row in lost)
    listed = "".join(
        f"<li>{escape(row.key.task)}/{row.key.init}: {escape(row.error)}, given up after attempt "
        f"{row.attempt}{command(row.error_text)}</li>"
        for row in lost[:SHOWN]
    )
    more = f"<p class=notes>and {len(lost) - SHOWN} more.</p>" if len(lost) > SHOWN else ""
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return (
        f"<h3>{escape(entry.label)} on {escape(entry.run.suite)}</h3>"
        f"<p>{escape(text)}. <code>{escape(entry.run.id)}</code></p>"
        f"{folded(f'By cause: {counted}', f'<ul>{listed}</ul>{more}')}"
    )


def comparability(parts: Sequence[SuitePart]) -> str:
    """Which runs may be set against each other, and what the others differ in."""
    body = "".join(f"<h3>{escape(part.suite)}</h3>{_differing(part)}" for part in parts)
    return (
        '<section id="comparability"><h2>Comparability</h2><p class=notes>Facts that change '
        "scores. Runs that disagree in one of them are compared only when asked for.</p>"
        f"{body}</section>"
    )


def _differing(part: SuitePart) -> str:
    shared: dict[str, object] = {}
    for entry in part.entries:
        for name, value in entry.run.comparability.items():
            if name not in part.differing:
                shared.setdefault(name, value)
    same = folded("What else is stated", facts(shared))
    if not part.differing:
        return f"<p>All runs of this suite may be compared.</p>{same}"
    header = ("differs", *(entry.label for entry in part.entries))
    body = tuple(
        (Cell(name), *(Cell(_stated(entry, name)) for entry in part.entries))
        for name in part.differing
    )
    grid = Grid(part.suite, header, tuple(False for _ in header), body, ())
    return f"{table(grid)}{same}"


def _stated(entry: Entry, name: str) -> str:
    return str(entry.run.comparability.get(name, "not stated: did not matter"))


def runs(content: Content) -> str:
    """Each run with its command, folded behind it all that is known of it."""
    body = "".join(_run(entry) for entry in content.entries)
    older = ""
    if content.older:
        older = f"<p class=notes>{content.older} older runs are not shown; --all shows them.</p>"
    return (
        '<section id="runs"><h2>Runs, and how to repeat them</h2><p class=notes>The same command '
        "on the same store continues a run; with another --store it starts afresh.</p>"
        f"{body}{older}</section>"
    )


def _run(entry: Entry) -> str:
    summary, run = entry.summary, entry.run
    tables: list[tuple[str, Mapping[str, object]]] = [
        ("Configuration", configuration(run)),
        ("Comparability", run.comparability),
        ("Provenance", run.provenance),
        *(("Continued with", later) for later in run.continued),
    ]
    body = "".join(f"<h4>{title}</h4>{facts(values)}" for title, values in tables)
    typed = "\n".join(filter(None, (environment(run), repeat(run))))
    return (
        f'<article id="{anchor(run.id)}"><h3>{escape(run.id)}</h3>'
        f"<p>{escape(entry.label)}: {escape(_outcomes(summary, entry))}, begun "
        f"{escape(run.created[:16].replace('T', ' '))}</p>{command(typed)}"
        f"{folded('Configuration, comparability, provenance', body)}</article>"
    )


def _outcomes(summary: Summary, entry: Entry) -> str:
    lost = len(summary.quarantined)
    failed = summary.finished - lost - entry.successes
    text = f"{summary.status}, {entry.successes} successes, {failed} failures"
    return f"{text}, {lost} errors" if lost else text
