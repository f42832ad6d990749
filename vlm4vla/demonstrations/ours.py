"""What `bench demos` adds to a LeRobot data set: the convention of its actions, and its origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import InvalidFile
from vlm4vla.core.formats import FileFormat, refuse_unknown

OURS = "meta/vlm4vla.json"
SETTINGS = "meta/settings.json"
"""What the set is made under, there before its first episode: the same command continues it."""

FORMAT = FileFormat("set of recorded demonstrations")

ORIGIN = (
    "suite", "policy", "options", "frames", "cameras", "proprio", "size", "failures", "seed",
    "comparability",
)  # fmt: skip
_FIELDS = ("action", "pictures", *ORIGIN, "provenance")


def written(content: Mapping[str, JSON]) -> str:
    """The text of either file, with the number of the format."""
    return json.dumps(FORMAT.numbered(content), indent=1) + "\n"


def origin(folder: Path) -> Mapping[str, Any] | None:
    """What the set says of itself, in today's format; None if it is another program's.

    Raises:
        InvalidFile: of a format, or with a field, that is not known.
    """
    return _read(folder / OURS, _FIELDS)


def settings(folder: Path) -> Mapping[str, Any] | None:
    """What the set has been begun under; None if it has not. Raises InvalidFile."""
    return _read(folder / SETTINGS, ORIGIN)


def json_object(path: Path) -> dict[str, Any]:
    """A file that is a JSON object. Raises InvalidFile."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise InvalidFile(f"{path} is not a JSON object.")
    return found


def _read(path: Path, known: tuple[str, ...]) -> Mapping[str, Any] | None:
    if not path.is_file():
        return None
    content = FORMAT.upgraded(json_object(path), path)
    refuse_unknown(content, known, path)
    return content
