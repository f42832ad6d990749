"""The action convention of a data set, as JSON beside its files.

Numbers alone do not say whether +1 opens the gripper. What is written here travels from the
demonstrations into the checkpoint and from there into evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import cast

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import InvalidFile
from vlm4vla.core.rotation import SIZES
from vlm4vla.core.specs import ActionSpec, Gripper


def to_json(spec: ActionSpec) -> Mapping[str, JSON]:
    """`spec` as plain JSON values."""
    return cast(Mapping[str, JSON], asdict(spec))


def from_json(value: JSON, source: str) -> ActionSpec:
    """The spec that `to_json` wrote. Raises InvalidFile, naming `source`, for anything else."""
    known = {field.name for field in fields(ActionSpec)}
    if not isinstance(value, Mapping) or set(value) != known:
        raise InvalidFile(
            f"{source}: the action convention must state exactly {', '.join(sorted(known))}."
        )
    found = dict(value)
    if found["rotation"] not in SIZES:
        raise InvalidFile(f"{source}: rotation '{found['rotation']}' is not known.")
    gripper = found.pop("gripper")
    try:
        for name in ("translation_scale", "rotation_scale"):
            found[name] = cast(JSON, tuple(float(cast(float, x)) for x in _list(found[name])))
        return ActionSpec(
            **found,  # type: ignore[arg-type]
            gripper=Gripper(**gripper) if isinstance(gripper, Mapping) else None,  # type: ignore[arg-type]
        )
    except (TypeError, ValueError) as error:
        raise InvalidFile(f"{source}: the action convention cannot be read: {error}.") from error


def _list(value: JSON) -> list[JSON]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ValueError(f"{value!r} is not three numbers")
    return list(value)
