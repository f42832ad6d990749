"""`module:attribute` in a user's words, turned into the object itself."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

from vlm4vla.core.errors import BadInput, BenchError

_PACKAGE = str(Path(__file__).resolve().parents[1])


def load_object(what: str, reference: str, fix: str) -> object:
    """What stands at `module:attribute`.

    Args:
        what: what it is meant to be, for the error's sentence: "Policy", "Generator", ...
        reference: e.g. `my_policy:MyPolicy`.
        fix: the error's remedy.

    Raises:
        BadInput: there is no such module or attribute, or the module itself raises, whatever that
            may be: other people's files are imported here.
    """
    module, colon, attribute = reference.partition(":")
    if not (module and colon and attribute) or module.startswith(".") or "/" in module:
        raise BadInput(f"{what} '{reference}' is not of the form module:Class.", fix)
    try:
        found: object = getattr(import_module(module), attribute)
    except BenchError:
        raise
    except Exception as error:
        raise BadInput(f"{what} '{reference}' cannot be loaded: {reason(error)}.", fix) from error
    return found


def look_here() -> None:
    """Let `module:Class` name a file in the folder where the command was typed."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def reason(error: Exception) -> str:
    """The error in one line, with the place in the user's file where it arose."""
    said = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, ImportError | AttributeError | SyntaxError):
        text = said  # they name the thing and the place themselves
    else:
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_PACKAGE, "<frozen"))
        and not frame.filename.endswith("importlib/__init__.py")
    ]
    if frames and not isinstance(error, SyntaxError):
        text += f" ({frames[-1].filename}, line {frames[-1].lineno})"
    return text
