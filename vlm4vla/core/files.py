"""Where the files a user reads and edits are: suites, environments, published results.

They lie at the top of a checkout and under `vlm4vla/data/` in an installed wheel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(folder: Literal["benchmarks", "envs", "results"]) -> Path:
    """The folder as it stands in this checkout or installation."""
    installed = _PACKAGE / "data" / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder
