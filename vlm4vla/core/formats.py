"""Formats that evolve: a file says its format's number, and older ones are brought up to date.

Three rules for every file we write. An absent number is 1, and an absent field its default: what
an older version wrote stays readable. An unknown number or field is refused by name: a newer or
misspelt setting must not be ignored. Between two numbers stands one step, with a fixture of each.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput, InvalidFile

T = TypeVar("T")

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


def read_fields(kind: type[T], content: Mapping[str, JSON], source: object) -> T:
    """`content` as the frozen dataclass `kind`; a field that it lacks has its default.

    A field is text, a number, yes or no, a `Literal`, a tuple of one of these, a mapping, another
    such dataclass, or one of several of these.

    Raises:
        InvalidFile: naming `source` and the field that is unknown, lacking or cannot be so.
    """
    hints = get_type_hints(kind)
    refuse_unknown(content, hints, source)
    for field in fields(kind):  # type: ignore[arg-type]
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and field.name not in content:
            raise InvalidFile(f"{source} lacks '{field.name}'.")
    values = {name: _value(hints[name], value, name, source) for name, value in content.items()}
    try:
        return kind(**values)
    except BadInput as error:
        raise InvalidFile(f"{source}: {error}") from error


def _value(hint: Any, value: Any, name: str, source: object) -> object:
    several = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    hint = next((one for one in several if _suits(one, value)), None)
    if hint is None:
        raise InvalidFile(f"{source}: {name} cannot be {value!r}.")
    if is_dataclass(hint):
        return read_fields(cast(type, hint), value, f"{source}: {name}")
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Literal and value not in parts:
        raise InvalidFile(f"{source}: {name} '{value}' is not known. Known: {', '.join(parts)}.")
    if kind is tuple:
        return tuple(_value(parts[0], one, name, source) for one in value)
    return float(value) if hint is float else value


def _suits(hint: Any, value: object) -> bool:
    """Whether the value is of that kind, whatever it holds."""
    kind = get_origin(hint) or hint
    if is_dataclass(kind) or kind is Mapping:
        return isinstance(value, Mapping)
    if kind is tuple:
        return isinstance(value, list | tuple)
    if kind is float:
        return type(value) in (int, float)
    return type(value) is (str if kind is Literal else kind)
