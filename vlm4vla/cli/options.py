"""Arguments that several verbs share, and how their text is read."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from vlm4vla.core.errors import BadInput
from vlm4vla.suites.suite import Scalar

StoreOption = Annotated[
    str | None,  # a path would lose one of the slashes of a URL
    typer.Option(
        "--store", envvar="VLM4VLA_STORE", help="Results: a file or URL [./results/bench.db]."
    ),
]
JsonOption = Annotated[bool, "Print JSON for programs."]

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_LONGEST = 1_000_000


def assignments(flag: str, texts: list[str] | None) -> dict[str, str]:
    """`key=value` texts as a mapping. Raises BadInput."""
    pairs: dict[str, str] = {}
    for text in texts or []:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise BadInput(f"{flag} {text} is not KEY=VALUE.", f"Write e.g. {flag} robot=panda")
        pairs[key] = value
    return pairs


def scalars(texts: dict[str, str]) -> dict[str, Scalar]:
    """Option values as a suite file would hold them: numbers and booleans where they read so."""
    import yaml

    read: dict[str, Scalar] = {}
    for key, text in texts.items():
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):  # `[` or a date that is none: the text itself
            value = text
        read[key] = value if isinstance(value, bool | int | float) else text
    return read


def numbers(flag: str, text: str | None) -> tuple[int, ...]:
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
