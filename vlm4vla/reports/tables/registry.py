"""Every table by its name: those of this package, and those that others add.

A table is a function `(store, selection) -> Exhibit`. Its module registers it under the entry
point `vlm4vla.tables`, or is named as `module:function`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from importlib.metadata import entry_points
from typing import cast

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.reference import load_object
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.table import Exhibit
from vlm4vla.store import Store, Where, reading, reading_if_any

GROUP = "vlm4vla.tables"
OURS = {
    "leaderboard": "vlm4vla.reports.board.leaderboard:leaderboard_exhibit",
    "literature": "vlm4vla.reports.board.literature:literature_exhibit",
    "campaign": "vlm4vla.reports.board.campaign:campaign_exhibit",
}
_FIX = "bench leaderboard --table NAME or module:function, see docs/add_a_table.md"


def opened(where: Where, asked: Selection) -> AbstractContextManager[Store | None]:
    """The store that a table is made from. Raises StoreError if it needs one and there is none."""
    return reading(where) if asked.needs_store else reading_if_any(where)


TableMaker = Callable[[Store | None, Selection], Exhibit]
"""From an open store, or None where there is none yet, to what is shown of it."""


class NothingToShow(BadInput):
    """The store holds nothing that a table is about. On the page its section is left out."""


def page_exhibits(store: Store, asked: Selection) -> list[Exhibit]:
    """What the installed tables of others show of a store: a section of the page each."""
    shown = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        with suppress(NothingToShow):
            shown.append(table_maker(entry.name)(store, asked))
    return shown


def table_maker(name: str) -> TableMaker:
    """The table of that name, or at `module:function`.

    Raises UnknownName where none is installed, BadInput for what cannot be loaded or called.
    """
    installed = {entry.name: entry.value for entry in entry_points(group=GROUP)} | OURS
    if ":" not in name:
        UnknownName.check("table", [name], installed, _FIX)
    maker = load_object("Table", installed.get(name, name), _FIX)
    if not callable(maker):
        raise BadInput(f"Table '{name}' is not a function.", _FIX)
    return cast(TableMaker, maker)
