"""The console that read verbs print to."""

from __future__ import annotations

from rich.console import Console

WIDTH = 100
"""Of a pipe or file, which has none of its own."""


def screen() -> Console:
    """As wide as the terminal; colours only there."""
    console = Console(highlight=False, soft_wrap=False, markup=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console
