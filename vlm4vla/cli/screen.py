"""What verbs print to, and as what."""

from __future__ import annotations

import sys

from rich.console import Console

from vlm4vla.reports.tables import terminal, text
from vlm4vla.reports.tables.selection import TableFormat
from vlm4vla.reports.tables.table import Exhibit

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
    sys.stdout.write(text.strict_json(value))


def present(shown: Exhibit, written: TableFormat) -> None:
    """Print tables in the format that was asked for."""
    if written == "table":
        screen().print(terminal.exhibit(shown))
    else:
        sys.stdout.write(text.text(shown, written))


def clock(seconds: float) -> str:
    """`1:02:03`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
