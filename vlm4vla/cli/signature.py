"""A command's options, read from the function that carries it out: each is written down once.

A parameter is an option: its type says how the text is read, a string in `Annotated` what the help
says. A dataclass marked with `Spread` stands for its fields, whose docstrings (to the first empty
line) are the help: `RunRequest` alone says what a run takes, `TrainSettings` what a training.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import partial
from itertools import pairwise
from textwrap import dedent
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import typer
from typer.models import ParameterInfo

from vlm4vla.cli.options import assignments, numbers, scalars

FLAGS = {
    "tasks": "--task",
    "inits": "--init",
    "options": "--set",
    "policy_options": "--policy-option",
    "timeout_s": "--timeout",
    "model": "--set",
    "frozen": "--freeze",
}
"""Fields of dataclasses that go by another name on the command line."""
METAVARS = {"selected_from": "K", "python": "PATH"}

Reader = Callable[[Any], object]


@dataclass(frozen=True)
class Spread:
    """How a dataclass is spread over the command line."""

    only: tuple[str, ...] = ()
    """These fields, in this order; all if empty. The others keep their defaults."""
    but: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)
    """Where the command's differ from the class's; a field that is no option has this value."""
    helps: Mapping[str, str] = field(default_factory=dict)
    readers: Mapping[str, Reader] = field(default_factory=dict)
    """Field -> what makes its value of the words that were typed, where its type does not say."""


@dataclass(frozen=True)
class _Option:
    """One option: what typer is to know of it, and how its value is read."""

    shown: inspect.Parameter
    read: Reader


def command(act: Callable[..., None]) -> Callable[..., None]:
    """`act` with the flat signature that typer takes; `act` gets dataclasses and read values."""
    hints = get_type_hints(act, include_extras=True)
    options: dict[str, _Option] = {}
    spreads: dict[str, tuple[Callable[..., object], list[str]]] = {}
    for name, parameter in inspect.signature(act).parameters.items():
        kind, notes = _split(hints[name])
        spread = next((note for note in notes if isinstance(note, Spread)), None)
        if spread is None:
            options[name] = _option(name, _flag(name), kind, notes, parameter.default)
            continue
        found = _spread(kind, spread)
        fixed = {one: value for one, value in spread.defaults.items() if one not in found}
        spreads[name] = partial(kind, **fixed), list(found)
        options |= found

    def carry_out(**given: object) -> None:
        values = {name: option.read(given[name]) for name, option in options.items()}
        for name, (build, names) in spreads.items():
            values[name] = build(**{one: values.pop(one) for one in names})
        act(**values)

    shown = [option.shown for option in options.values()]
    carry_out.__doc__ = act.__doc__
    carry_out.__annotations__ = {}
    carry_out.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return carry_out


def _spread(kind: type, spread: Spread) -> dict[str, _Option]:
    hints = get_type_hints(kind, include_extras=True)
    known = {one.name: one for one in fields(kind)}
    helps = {**_docstrings(kind), **spread.helps}
    found = {}
    for name in spread.only or [name for name in known if name not in spread.but]:
        inner, notes = _split(hints[name])
        default = spread.defaults[name] if name in spread.defaults else _default(known[name])
        reader = spread.readers.get(name)
        flag = FLAGS.get(name, _flag(name))
        found[name] = _option(name, flag, inner, (*notes, helps.get(name, "")), default, reader)
    return found


def _flag(name: str) -> str:
    return "--" + name.rstrip("_").replace("_", "-")


def _option(
    name: str,
    flag: str,
    kind: Any,
    notes: tuple[object, ...],
    default: object,
    reader: Reader | None = None,
) -> _Option:
    read: Reader = reader or _same
    metavar = METAVARS.get(name)
    items = get_args(kind)
    if get_origin(kind) is tuple:
        if items[0] is int:  # 0,4,10-19
            kind, read, default = str | None, reader or partial(numbers, flag), None
        else:
            kind = list[str if reader else items[0]] | None  # type: ignore[misc]
            read, default = partial(_tuple, reader or tuple), default or None
    elif isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
        read = partial(_mapping, flag, items[1] is str)
        kind, metavar, default = list[str] | None, metavar or "KEY=VALUE", None
    info = next((note for note in notes if isinstance(note, ParameterInfo)), None)
    if info is None:
        text = next((note for note in notes if isinstance(note, str)), "")
        info = typer.Option(flag, help=text, metavar=metavar)
    annotation = Annotated[kind, info]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return _Option(inspect.Parameter(name, keyword, default=default, annotation=annotation), read)


def _split(hint: Any) -> tuple[Any, tuple[object, ...]]:
    return (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())


def _default(one: Field[Any]) -> object:
    if one.default_factory is not MISSING:
        return one.default_factory()
    return inspect.Parameter.empty if one.default is MISSING else one.default


def _docstrings(kind: type) -> dict[str, str]:
    """Field -> the first paragraph of the string below it."""
    body = cast(ast.ClassDef, ast.parse(dedent(inspect.getsource(kind))).body[0]).body
    found = {}
    for above, below in pairwise(body):
        match above, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text)):
                found[name] = " ".join(str(text).split("\n\n")[0].split())
    return found


def _same(value: object) -> object:
    return value


def _tuple(read: Reader, words: list[object] | None) -> object:
    return read(words or ())


def _mapping(flag: str, texts: bool, words: list[str] | None) -> Mapping[str, object]:
    pairs = assignments(flag, words)
    return pairs if texts else scalars(pairs)
