"""What a reader found in a file, before it is entered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
class Found:
    """The content of one file."""

    format: str
    results: tuple[ImportedResult, ...] = ()
    scores: tuple[Score, ...] = ()
    provenance: Mapping[str, JSON] = field(default_factory=dict)
    """What the file says of how it was made."""
    note: str = ""


def rate(
    policy: str, suite: str, task: str, metric: str, k: int, n: int, **more: object
) -> ImportedResult:
    """A counted success rate."""
    return ImportedResult(policy, suite, task, metric, "rate", k / n, n, k, **more)  # type: ignore[arg-type]


def invalid(path: Path, what: str) -> InvalidFile:
    """The error for a file that is not what its reader reads."""
    return InvalidFile(f"{path}: {what}.", RESULTS_README)


def needed(value: str, path: Path, flag: str) -> str:
    """A name that the file does not hold and the user must give. Raises InvalidFile."""
    if not value:
        raise InvalidFile(
            f"{path} does not say whose result it is.", f"Say it: bench import FILE {flag} NAME"
        )
    return value
