"""The leaderboard: as a data frame, and as tables in every format."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from vlm4vla.reports.board.beside import BesideRow, gather
from vlm4vla.reports.board.board import board
from vlm4vla.reports.board.tables import beside_tables, tables
from vlm4vla.reports.scores import Row
from vlm4vla.reports.tables.registry import Selection, names_of, opened
from vlm4vla.reports.tables.table import Exhibit
from vlm4vla.store import Store, Where

if TYPE_CHECKING:
    import pandas as pd


def leaderboard(
    store: Where = None,
    suite: str | Collection[str] | None = None,
    policy: str | Collection[str] | None = None,
    all_runs: bool = False,
    published: bool = False,
    imported: bool = False,
) -> pd.DataFrame:
    """The leaderboard as a data frame: one row per run, task (or `all`) and metric.

    Args:
        store: an open store, its file or URL; by default `VLM4VLA_STORE` or ./results/bench.db.
        suite: only this suite, or these.
        policy: only this policy, or these.
        all_runs: every run, not only the latest of each policy, suite, comparability, execution.
        published: set the papers' rows beside ours; the columns are those of `BesideRow`.
        imported: set imported results beside ours, likewise.

    Raises:
        StoreError: the store cannot be read.
        UnknownName: the store holds no such suite or policy.
    """
    import pandas as pd

    asked = Selection(
        names_of(suite),
        names_of(policy),
        all_runs=all_runs,
        published=published,
        imported=imported,
    )
    with opened(store, asked) as read:
        shown = leaderboard_exhibit(read, asked)
    assert shown.record is not None
    names = [field.name for field in fields(shown.record)]
    return pd.DataFrame([asdict(row) for row in shown.records or ()], columns=names)  # type: ignore[call-overload]


def leaderboard_exhibit(store: Store | None, asked: Selection) -> Exhibit:
    """Our runs; beside the papers' and imported rows where these are asked for.

    Raises:
        UnknownName: no such suite, policy or paper.
    """
    if asked.published or asked.imported or asked.papers:
        rows, warnings = gather(store, asked)
        shown = beside_tables(rows, asked.by_task, asked.narrow)
        return Exhibit(tuple(shown), rows, BesideRow, warnings=warnings)
    assert store is not None, "needs_store"
    found = board(store, asked.suites, asked.policies, asked.all_runs)
    remarks = []
    if not found.rows:
        remarks.append("The store holds no runs yet: bench run --policy expert --suite toy")
    if found.older:
        remarks.append(f"{found.older} older runs are not shown; --all shows them.")
    return Exhibit(
        tables=tuple(tables(found, asked.by_task, asked.narrow)),
        records=found.rows,
        record=Row,
        warnings=found.warnings,
        remarks=tuple(remarks),
    )
