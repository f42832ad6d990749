"""Formats that evolve: a file says its format's number, and older ones are brought up to date.

Three rules for every file we write. An absent number is 1, and an absent field its default: what
an older version wrote stays readable. An unknown number or field is refused by name: a newer or
misspelt setting must not be ignored. Between two numbers stands one step, with a fixture of each.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import InvalidFile

FIELD = "format"
"""The field that holds the number, at the top of the file."""

Step = Callable[[dict[str, JSON]], Mapping[str, JSON]]
"""The content under one number -> the content under the next. It may alter what it is given."""


@dataclass(frozen=True)
class FileFormat:
    """One kind of file and how it has changed: `FileFormat("suite file", (_rename_rate,))`."""

    kind: str
    """For sentences: `suite file`."""
    steps: tuple[Step, ...] = ()
    """`steps[0]` brings format 1 to 2, `steps[1]` 2 to 3, and so on."""

    @property
    def version(self) -> int:
        """The number that is written today."""
        return 1 + len(self.steps)

    def numbered(self, content: Mapping[str, JSON]) -> dict[str, JSON]:
        """`content` of today's format with its number, to be written."""
        return {FIELD: self.version, **content}

    def upgraded(self, content: object, source: object) -> dict[str, JSON]:
        """What was read from `source`, in today's format and without its number.

        Raises:
            InvalidFile: it is not a mapping, or its number is not one of ours.
        """
        if not isinstance(content, Mapping):
            raise InvalidFile(f"{source} is no {self.kind}: it must be fields with values.")
        found = copy.deepcopy(dict(content))
        number = found.pop(FIELD, 1)
        if type(number) is not int or not 1 <= number <= self.version:
            reads = "format 1" if self.version == 1 else f"formats 1 to {self.version}"
            raise InvalidFile(
                f"{source} is a {self.kind} of format {number!r}; this vlm4vla reads {reads}.",
                "Read it with the vlm4vla that wrote it, or a newer one.",
            )
        for step in self.steps[number - 1 :]:
            found = dict(step(found))
        return found


def refuse_unknown(content: Collection[str], known: Collection[str], source: object) -> None:
    """Refuse the first field of `content` that is not `known`, with the nearest that is.

    Raises:
        InvalidFile: naming `source`, the field and what it may have been meant to be.
    """
    for name in content:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."
            raise InvalidFile(f"{source}: there is no field '{name}'. {hint}")
