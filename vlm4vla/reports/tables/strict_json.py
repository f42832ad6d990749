"""Records as JSON that every program reads: null where Python has NaN."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def json_text(records: Iterable[DataclassInstance]) -> str:
    """A list of objects, null where undefined."""
    return text([asdict(one) for one in records])


def text(value: object) -> str:
    """Lists, dictionaries and numbers, null where undefined."""
    return json.dumps(_finite(value), indent=1) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
