"""What a reader finds in a file of others, before it is entered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import InvalidFile
from vlm4vla.store.library import ImportedResult, Score

RESULTS_README = "docs/results.md lists the formats; --format NAME chooses one."


@dataclass(frozen=True)
class Asked:
    """What the user says of a file that does not say it itself."""

    policy: str = ""
    suite: str = ""
    model: str = ""


@dataclass(frozen=True)
class ResultFile:
    """A file that readers look into, each as far as it must."""

    path: Path
    asked: Asked

    @cached_property
    def text(self) -> str:
        """All of it, with a sign in place of what is not UTF-8."""
        return self.path.read_text(encoding="utf-8", errors="replace")

    @cached_property
    def object(self) -> dict[str, object]:
        """The JSON object it holds; empty if it holds none."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (ValueError, OSError):
            return {}
        return found if isinstance(found, dict) else {}

    def invalid(self, what: str) -> InvalidFile:
        """The error for a file that is not what its reader reads."""
        return InvalidFile(f"{self.path}: {what}.", RESULTS_README)

    def needed(self, value: str, flag: str) -> str:
        """A name that the file does not hold and the user must give. Raises InvalidFile."""
        if not value:
            raise InvalidFile(
                f"{self.path} does not say whose result it is.",
                f"Say it: bench import FILE {flag} NAME",
            )
        return value


@dataclass(frozen=True)
class Found:
    """The content of one file."""

    format: str
    results: tuple[ImportedResult, ...] = ()
    scores: tuple[Score, ...] = ()
    provenance: Mapping[str, JSON] = field(default_factory=dict)
    """What the file says of how it was made."""
    note: str = ""
