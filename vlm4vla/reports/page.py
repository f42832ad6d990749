"""The HTML page: one file that needs no other, to be mailed, printed or read on a phone."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vlm4vla.core.errors import BadInput
from vlm4vla.core.version import __version__
from vlm4vla.reports import page_runs, page_studies, page_suite
from vlm4vla.reports.content import Content, collect
from vlm4vla.reports.markup import anchor, escape, items
from vlm4vla.reports.style import STYLE
from vlm4vla.store import Store

_NOTHING_ELSE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content-Security-Policy: the browser itself refuses scripts and anything from elsewhere."""

_KINDS = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(frozen=True)
class Sheet:
    """A picture for the page: what the policy saw."""

    title: str
    path: Path
    suite: str = ""
    """Shown with this suite; otherwise in a section of its own."""


def write_page(
    store: Store,
    out: Path,
    suites: Collection[str] = (),
    policies: Collection[str] = (),
    all_runs: bool = False,
    sheets: Sequence[Sheet] = (),
    vqa: Sequence[str] = (),
    others: bool = False,
) -> None:
    """Write the page to `out`.

    Args:
        store: where the runs are.
        out: the file; its folder is made.
        suites: only these.
        policies: only these.
        all_runs: every run, not only the latest of its kind.
        sheets: pictures, embedded.
        vqa: benchmarks to correlate the policies' scores with.
        others: add what papers print and what was imported; correlate the papers' policies.

    Raises:
        UnknownName: the store holds no such suite or policy, or there is no such benchmark.
        BadInput: too few backbones to correlate, the file cannot be written, a picture not read.
    """
    content = collect(store, suites, policies, all_runs, vqa, others)
    try:
        text = page(content, sheets)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"The report cannot be made: {error.filename or out}: {error.strerror}.",
            "Name a file that you may write to with --out.",
        ) from error


def report(
    out: str | Path = "results/report.html",
    store: Store | str | Path | None = None,
    *,
    suite: str | Collection[str] = (),
    policy: str | Collection[str] = (),
    all_runs: bool = False,
    sheets: Mapping[str, str | Path] | None = None,
    vqa: str | Sequence[str] = (),
    others: bool = False,
) -> Path:
    """The page of a store, as `bench report` writes it.

    Args:
        out: the file; its folder is made.
        store: an open store or its file; by default `VLM4VLA_STORE` or ./results/bench.db.
        suite: only this suite, or these.
        policy: only this policy, or these.
        all_runs: every run, not only the latest of its kind.
        sheets: title -> picture, embedded.
        vqa: benchmarks to correlate the policies' scores with.
        others: add what papers print and what was imported; correlate the papers' policies.

    Returns:
        The file.

    Raises:
        StoreError: the store cannot be read.
        UnknownName: the store holds no such suite or policy, or there is no such benchmark.
        BadInput: too few backbones to correlate, the file cannot be written, a picture not read.
    """
    pictures = [Sheet(title, Path(path)) for title, path in (sheets or {}).items()]
    suites, policies, benchmarks = (
        [given] if isinstance(given, str) else given for given in (suite, policy, vqa)
    )
    with ExitStack() as stack:
        opened = store if isinstance(store, Store) else stack.enter_context(Store.open(store))
        write_page(
            opened, Path(out), suites, policies, all_runs, pictures, tuple(benchmarks), others
        )
    return Path(out)


def page(content: Content, sheets: Sequence[Sheet] = ()) -> str:
    """The text of the page."""
    suites = [part.suite for part in content.suites]
    others = _pictures(sheet for sheet in sheets if sheet.suite not in suites)
    studies = {
        "emoji": page_studies.emoji(content.emoji),
        "correlation": page_studies.correlations(content.correlations),
        "frames": others and f'<section id="frames"><h2>Frames</h2>{others}</section>',
    }
    found = [name for name, text in studies.items() if text]
    parts = [_header(content), _contents(suites, found), *map(_warning, content.warnings)]
    if not suites:
        parts.append("<p>The store holds no runs yet.</p>")
    for part in content.suites:
        own = _pictures(sheet for sheet in sheets if sheet.suite == part.suite)
        parts.append(page_suite.section(part, own))
    parts += studies.values()
    if suites:
        parts += [page_runs.errors(content), page_runs.comparability(content.suites)]
        parts.append(page_runs.runs(content))
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_ELSE}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Policy evaluation</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _header(content: Content) -> str:
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    signs = items(page_suite.legend(content.entries))
    return (
        "<header><h1>Policy evaluation</h1>"
        f"<p>Runs: {len(content.entries)}. Suites: {len(content.suites)}. "
        f"Made {made} by vlm4vla {escape(__version__)} from {escape(content.store)}.</p>"
        f"{signs and f'<div class=legend>{signs}</div>'}</header>"
    )


def _contents(suites: Sequence[str], studies: Sequence[str]) -> str:
    if not suites:
        return ""
    places = [(suite, anchor(suite)) for suite in suites]
    places += [(study.capitalize(), study) for study in studies]
    places += [("Errors", "errors"), ("Comparability", "comparability"), ("Runs", "runs")]
    links = " ".join(f'<a href="#{place}">{escape(name)}</a>' for name, place in places)
    return f"<nav>{links}</nav>"


def _warning(text: str) -> str:
    return f'<p class="warning">{escape(text)}</p>'


def _pictures(sheets: Iterable[Sheet]) -> str:
    return "".join(
        f"<figure class=sheet><figcaption>{escape(sheet.title)}</figcaption><div class=wide>"
        f'<img alt="{escape(sheet.title)}" src="{_data_uri(sheet.path)}"></div></figure>'
        for sheet in sheets
    )


def _data_uri(path: Path) -> str:
    kind = _KINDS.get(path.suffix.lower(), "image/png")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
