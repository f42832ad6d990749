"""Writing the page: from a store, to a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.page.content import Sheet, collect
from vlm4vla.reports.page.render import render
from vlm4vla.store import Store


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
    content = collect(store, suites, policies, all_runs, vqa, others, sheets)
    try:
        text = render(content)
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
    """The page of a store, as `bench report` writes it: `write_page` with names and paths.

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
