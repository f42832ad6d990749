"""Where a store lies: a file or a URL, as `--store` and `VLM4VLA_STORE` take it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from vlm4vla.core.errors import StoreError

VARIABLE = "VLM4VLA_STORE"
DEFAULT = Path("results/bench.db")
"""Under the working directory."""

_URL = re.compile(r"([a-z][a-z0-9+]*)://(.*)", re.DOTALL)


def file_of(where: str | Path | None = None) -> Path:
    """The file of the store at `where`, by default at `VLM4VLA_STORE` or `DEFAULT`.

    Args:
        where: a path, or `sqlite:///relative/path`, `sqlite:////absolute/path`.

    Raises:
        StoreError: a URL of another kind.
    """
    if where is None:
        where = os.environ.get(VARIABLE) or DEFAULT
    url = _URL.fullmatch(str(where)) if isinstance(where, str) else None
    if url is None:
        return Path(where)
    kind, rest = url[1].partition("+")[0], url[2]
    if kind in ("postgresql", "postgres"):
        problem = "A store in PostgreSQL is not supported yet."
    elif kind != "sqlite":
        problem = f"There is no store of the kind {kind}://."
    elif "?" in rest or not re.fullmatch(r"/[^:].*", rest, re.DOTALL):
        problem = f"{where} does not name a file."
    else:
        return Path(rest[1:])
    # The rest is not repeated: a URL may hold a password.
    raise StoreError(problem, f"Name a file: --store {DEFAULT}, or sqlite:///{DEFAULT}")


def beside(folder: Path, name: str) -> Path:
    """The file of a store of that name in a folder that holds other things too."""
    return folder / f"{name}{DEFAULT.suffix}"
