"""Options of simulators, policies and backbones: a frozen dataclass says what there is.

    @dataclass(frozen=True)
    class Options:
        renderer: Literal["auto", "tiny", "egl"] = "auto"
        step_ms: Annotated[float, Bounds(0, 60_000)] = 0.0

`read` makes one of what a suite file or a command line holds. The standard library alone: simulator
hosts read their options too, in a Python that may have nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName

T = TypeVar("T")
Known = type | Collection[str]
"""A dataclass of options, or their names alone: then they are as they were typed."""
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest number an option takes: `Annotated[int, Bounds(1, 64)]`."""

    low: float
    high: float


def names(known: Known) -> tuple[str, ...]:
    """What the options are called."""
    return tuple(field.name for field in fields(known)) if isinstance(known, type) else tuple(known)


def check(known: Known, given: Mapping[str, JSON], owner: str) -> None:
    """Refuse what `read` would refuse, or, where names alone are known, another name."""
    if isinstance(known, type):
        read(known, given, owner)
    UnknownName.check(f"option of {owner}", given, names(known))


def check_ranges(owner: object, said: str = "{}", /, **ranges: tuple[float, float]) -> None:
    """Raises OutOfRange where a number of `owner` lies outside its range; None lies in any.

    `said` is how a number is named to the user: `--{}` for a flag.
    """
    for name, (low, high) in ranges.items():
        value = getattr(owner, name)
        if value is not None and not low <= value <= high:
            shown = said.format(name.replace("_", "-") if said.startswith("--") else name)
            raise OutOfRange(f"{shown} {value:g} is outside {low:g}..{high:g}.")


def read(kind: type[T], given: Mapping[str, JSON], owner: str) -> T:
    """`given` as the dataclass `kind`: checked, and each value of its field's type.

    Text is read where a number or yes/no is wanted, since a command line knows nothing else.

    Args:
        kind: a frozen dataclass of str, int, float, bool and `Literal` fields; a number may be
            `Annotated` with its `Bounds`.
        given: option -> value.
        owner: whose options they are, for what is said to the user: `simulator 'toy'`.

    Raises:
        UnknownName: there is no such option, or no such choice; near names are offered.
        OutOfRange: not a number, or outside its bounds.
        BadInput: an option without default is missing.
    """
    hints = get_type_hints(kind, include_extras=True)
    for name in given:
        if name not in hints:
            raise UnknownName(f"option of {owner}", name, names(kind))
    for field in fields(kind):  # type: ignore[arg-type]
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and field.name not in given:
            raise BadInput(f"{owner} needs the option {field.name}.")
    return kind(**{name: _value(hints[name], name, value, owner) for name, value in given.items()})


def _value(hint: Any, name: str, value: JSON, owner: str) -> object:
    bounds = Bounds(-math.inf, math.inf)
    if get_origin(hint) is Annotated:
        bounds = next((note for note in hint.__metadata__ if isinstance(note, Bounds)), bounds)
        hint = hint.__origin__
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise UnknownName(f"{name} of {owner}", str(value), map(str, get_args(hint)))
        return value
    if hint is bool:
        chosen = value if isinstance(value, bool) else _YES_NO.get(str(value).lower())
        if chosen is None:
            raise UnknownName(f"{name} of {owner}", str(value), ("yes", "no"))
        return chosen
    if hint in (int, float):
        return _number(hint, name, value, bounds)
    if hint is str:
        return str(value)
    raise TypeError(f"{owner}: option {name} is a {hint}, which no text can be read as")


def _number(kind: type, name: str, value: JSON, bounds: Bounds) -> int | float:
    shown = f"{name} {value!s:.40}"
    try:
        number = _read(kind, value)
    except OverflowError as error:
        raise OutOfRange(f"{shown}... is larger than any number of its kind.") from error
    if number is None:
        what = "a whole number" if kind is int else "a number"
        example = f"{bounds.low:g}" if math.isfinite(bounds.low) else "1"
        raise OutOfRange(f"{shown} is not {what}.", f"Write e.g. {name}={example}")
    if not bounds.low <= number <= bounds.high:
        raise OutOfRange(f"{shown} is outside {bounds.low:g}..{bounds.high:g}.")
    return number


def _read(kind: type, value: JSON) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if kind is int and not isinstance(value, float):
        with suppress(ValueError):
            return int(value)  # by way of a float, digits would be lost
    try:
        number = float(value)
    except ValueError:
        return None
    if kind is int:
        return int(number) if number.is_integer() else None
    return None if math.isnan(number) else number
