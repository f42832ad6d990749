"""How much of a vision-language model survives when it becomes a robot policy?

The verbs of `bench` as functions: `from vlm4vla import run, leaderboard`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vlm4vla.core import __version__

if TYPE_CHECKING:
    from vlm4vla.api import compare, correlate, leaderboard, plan, report, run

__all__ = ["__version__", "compare", "correlate", "leaderboard", "plan", "report", "run"]


def __getattr__(name: str) -> object:
    """Import a verb when it is first asked for: simulator hosts import this package too."""
    if name not in __all__:
        raise AttributeError(f"module 'vlm4vla' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module("vlm4vla.api"), name)
