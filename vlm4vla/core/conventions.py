"""Conventions of published data sets by name, and any action's as JSON.

Numbers alone do not say whether +1 opens the gripper. A LeRobot folder or an hdf5 file does not say
what its numbers mean; the user does, by one of the names in `conventions.toml`. What `to_json`
writes travels from the demonstrations into the checkpoint and from there into evaluation.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import UnknownName
from vlm4vla.core.formats import FileFormat, read_fields
from vlm4vla.core.specs import ActionSpec, ProprioPart

_FORMAT = FileFormat("action convention")
_PUBLISHED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

SOURCES: Mapping[str, str] = {name: entry.pop("source") for name, entry in _PUBLISHED.items()}
"""Convention -> where it is defined."""
LAYOUTS: Mapping[str, tuple[ProprioPart, ...]] = {
    name: tuple(read_fields(ProprioPart, part, name) for part in entry.pop("proprio", ()))
    for name, entry in _PUBLISHED.items()
}
"""Convention -> the parts of the proprioception, in the order in which its data sets hold them."""
CONVENTIONS = {name: read_fields(ActionSpec, entry, name) for name, entry in _PUBLISHED.items()}


def named(name: str) -> ActionSpec:
    """The convention of that name. Raises UnknownName."""
    UnknownName.check("action convention", [name], CONVENTIONS, "--convention NAME")
    return CONVENTIONS[name]


def to_json(spec: ActionSpec) -> Mapping[str, JSON]:
    """`spec` as plain JSON values, with the number of their format."""
    return _FORMAT.numbered(cast(Mapping[str, JSON], asdict(spec)))


def from_json(value: JSON, source: str) -> ActionSpec:
    """The spec that `to_json` wrote; a field it lacks has its default.

    Raises:
        InvalidFile: naming `source`, for anything else.
    """
    return read_fields(ActionSpec, _FORMAT.upgraded(value, source), source)
