"""The console that read verbs print to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from vlm4vla.reports.tables.table import Exhibit, TableFormat

WIDTH = 100
"""Of a pipe or file, which has none of its own."""


def screen() -> Console:
    """As wide as the terminal; colours only there."""
    console = Console(highlight=False, soft_wrap=False, markup=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def print_json(value: object) -> None:
    """Print records, mappings and numbers as JSON that every program reads."""
    from vlm4vla.reports.tables.text import strict_json

    sys.stdout.write(strict_json(value))


def present(shown: Exhibit, written: TableFormat) -> None:
    """Print tables in the format that was asked for."""
    from vlm4vla.reports.tables import terminal, text

    if written == "table":
        screen().print(terminal.exhibit(shown))
    else:
        sys.stdout.write(text.text(shown, written))
