"""A command's options, read from the function that carries it out: each is written down once.

A parameter is an option: its type says how the text is read, a string in `Annotated` what the help
says. A dataclass marked with `Spread` stands for its fields, whose docstrings (to the first empty
line) are the help: `RunRequest` alone says what a run takes, `TrainSettings` what a training.
"""

from __future__ import annotations

import ast
import inspect
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import typer
import yaml
from typer.models import ParameterInfo

from vlm4vla.core.errors import BadInput
from vlm4vla.suites.suite import Scalar

StoreOption = Annotated[
    str | None,  # a path would lose one of the slashes of a URL
    typer.Option(
        "--store", envvar="VLM4VLA_STORE", help="Results: a file or URL [./results/bench.db]."
    ),
]
JsonOption = Annotated[bool, "Print JSON for programs."]

FLAGS = {
    "tasks": "--task",
    "inits": "--init",
    "options": "--set",
    "policy_options": "--policy-option",
    "timeout_s": "--timeout",
    "model": "--set",
    "frozen": "--freeze",
    "cameras": "--camera",
    "suites": "--suite",
    "policies": "--policy",
    "papers": "--paper",
    "all_runs": "--all",
}
"""Fields of dataclasses that go by another name on the command line."""
METAVARS = {"selected_from": "K", "python": "PATH", "bounds": "LOW,HIGH", "frames": "N|all"}

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_LONGEST = 1_000_000

Reader = Callable[[Any], object]
_Option = tuple[inspect.Parameter, Reader]
"""What typer is to know of an option, and how its value is read."""


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
        values = {name: read(given[name]) for name, (_, read) in options.items()}
        for name, (build, names) in spreads.items():
            values[name] = build(**{one: values.pop(one) for one in names})
        act(**values)

    shown = [parameter for parameter, _ in options.values()]
    carry_out.__doc__ = act.__doc__
    carry_out.__annotations__ = {}
    carry_out.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return carry_out


def _spread(kind: type, spread: Spread) -> dict[str, _Option]:
    hints = get_type_hints(kind, include_extras=True)
    known = inspect.signature(kind).parameters
    helps = {**_docstrings(kind), **spread.helps}
    found = {}
    for name in spread.only or [name for name in known if name not in spread.but]:
        inner, notes = _split(hints[name])
        default = spread.defaults.get(name, known[name].default)
        reader = spread.readers.get(name)
        flag, metavar = FLAGS.get(name, _flag(name)), METAVARS.get(name)
        notes = (*notes, helps.get(name, ""))
        found[name] = _option(name, flag, inner, notes, default, reader, metavar)
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
    metavar: str | None = None,
) -> _Option:
    read: Reader = reader or _same
    items = get_args(kind)
    if get_origin(kind) is tuple:
        if items[0] is int:  # 0,4,10-19
            kind, read, default = str | None, reader or partial(_numbers, flag), None
        else:
            kind = list[str if reader else items[0]] | None  # type: ignore[misc]
            read, default = partial(_tuple, reader or tuple), default or None
    elif isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
        read = partial(_mapping, flag, items[1] is str)
        kind, metavar, default = list[str] | None, metavar or "KEY=VALUE", None
    elif reader:
        kind, default = str, str(default)
    info = next((note for note in notes if isinstance(note, ParameterInfo)), None)
    if info is None:
        text = next((note for note in notes if isinstance(note, str)), "")
        info = typer.Option(flag, help=text, metavar=metavar)
    annotation = Annotated[kind, info]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=annotation), read


def _split(hint: Any) -> tuple[Any, tuple[object, ...]]:
    return (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())


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


def _mapping(flag: str, texts: bool, words: list[str] | None) -> Mapping[str, Scalar]:
    """`key=value` words. Raises BadInput."""
    pairs: dict[str, str] = {}
    for word in words or []:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise BadInput(f"{flag} {word} is not KEY=VALUE.", f"Write e.g. {flag} robot=panda")
        pairs[key] = value
    return pairs if texts else scalars(pairs)


def _numbers(flag: str, text: str | None) -> tuple[int, ...]:
    """`3`, `0,4,7` or `0-9` as integers, in order, each once. Raises BadInput."""
    found: dict[int, None] = {}
    for part in text.split(",") if text is not None else ():
        match = _RANGE.fullmatch(part.strip())
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if not 0 <= high - low < _LONGEST:
            raise BadInput(
                f"{flag} '{text}' is not a list of numbers.", f"Write e.g. {flag} 0,4,10-19"
            )
        found |= dict.fromkeys(range(low, high + 1))
    return tuple(found)


def scalars(texts: Mapping[str, str]) -> dict[str, Scalar]:
    """Option values as a suite file would hold them: numbers and booleans where they read so."""
    read: dict[str, Scalar] = {}
    for key, text in texts.items():
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):  # `[` or a date that is none: the text itself
            value = text
        read[key] = value if isinstance(value, bool | int | float) else text
    return read


def check_writable(what: str, folder: Path, fix: str) -> None:
    """Make the folder, before any work and not after it. Raises BadInput."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(f"{what} cannot be written: {error.strerror}.", fix) from error
