"""How much of a vision-language model survives when it becomes a robot policy?

The verbs of `bench` as functions: `from vlm4vla import run, leaderboard`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vlm4vla.core import __version__

if TYPE_CHECKING:
    from vlm4vla.api import run
    from vlm4vla.reports.board.leaderboard import leaderboard
    from vlm4vla.reports.compare.comparison import compare
    from vlm4vla.reports.compare.planning import plan
    from vlm4vla.reports.correlation.correlation import correlate
    from vlm4vla.reports.page import report

__all__ = ["__version__", "compare", "correlate", "leaderboard", "plan", "report", "run"]

_VERBS = {
    "run": "vlm4vla.api",
    "compare": "vlm4vla.reports.compare.comparison",
    "correlate": "vlm4vla.reports.correlation.correlation",
    "leaderboard": "vlm4vla.reports.board.leaderboard",
    "plan": "vlm4vla.reports.compare.planning",
    "report": "vlm4vla.reports.page",
}


def __getattr__(name: str) -> object:
    """Import a verb when it is first asked for: simulator hosts import this package too."""
    if name not in _VERBS:
        raise AttributeError(f"module 'vlm4vla' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_VERBS[name]), name)
