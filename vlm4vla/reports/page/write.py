"""Writing the page: from a store, to a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.page.content import Content, collect
from vlm4vla.reports.page.render import Sheet, render
from vlm4vla.store import Store


def report(
    out: str | Path = "results/report.html",
    store: Store | str | Path | None = None,
    *,
    suite: str | Collection[str] = (),
    policy: str | Collection[str] = (),
    all_runs: bool = False,
    sheets: Mapping[str, str | Path] | Sequence[Sheet] = (),
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
        sheets: title -> picture, embedded; or with the suite that each belongs to.
        vqa: benchmarks to correlate the policies' scores with.
        others: add what papers print and what was imported; correlate the papers' policies.

    Returns:
        The file.

    Raises:
        StoreError: the store cannot be read.
        UnknownName: the store holds no such suite or policy, or there is no such benchmark.
        BadInput: too few backbones to correlate, the file cannot be written, a picture not read.
    """
    if isinstance(sheets, Mapping):
        sheets = [Sheet(title, Path(path)) for title, path in sheets.items()]
    suites, policies, benchmarks = (
        [given] if isinstance(given, str) else [*given] for given in (suite, policy, vqa)
    )
    with ExitStack() as stack:
        opened = store if isinstance(store, Store) else stack.enter_context(Store.open(store))
        content = collect(opened, suites, policies, all_runs, benchmarks, others)
    return write_page(content, Path(out), sheets)


def write_page(content: Content, out: Path, sheets: Sequence[Sheet] = ()) -> Path:
    """Write the page to `out`, whose folder is made.

    Raises:
        BadInput: the file cannot be written, a picture not read.
    """
    try:
        text = render(content, sheets)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"The report cannot be made: {error.filename or out}: {error.strerror}.",
            "Name a file that you may write to with --out.",
        ) from error
    return out
