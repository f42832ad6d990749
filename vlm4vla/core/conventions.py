"""Action conventions: those of published data sets by name, and any of them as JSON.

Numbers alone do not say whether +1 opens the gripper. A LeRobot folder or an hdf5 file does not say
what its numbers mean; the user does, by one of these names. What `to_json` writes travels from the
demonstrations into the checkpoint and from there into evaluation.

Sources: CALVIN (mees/calvin_env), LIBERO (robosuite's OSC_POSE), Open X-Embodiment as OpenVLA
relabels it (`bridge`, `fractal`: metres and radians per step, gripper 1 open, 0 closed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import cast

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.rotation import SIZES
from vlm4vla.core.specs import ActionSpec, Gripper

CONVENTIONS = {
    "calvin": ActionSpec(
        reference="target",
        translation_scale=(0.02, 0.02, 0.02),
        rotation="euler_xyz",
        rotation_scale=(0.05, 0.05, 0.05),
        gripper=Gripper(open=1.0, closed=-1.0, binary=True),
        control_hz=30.0,
    ),
    "libero": ActionSpec(
        reference="measured",
        translation_scale=(0.05, 0.05, 0.05),
        rotation="rotvec",
        rotation_scale=(0.5, 0.5, 0.5),
        gripper=Gripper(open=-1.0, closed=1.0),
        control_hz=20.0,
    ),
    "bridge": ActionSpec(gripper=Gripper(open=1.0, closed=0.0), control_hz=5.0),
    "fractal": ActionSpec(gripper=Gripper(open=1.0, closed=0.0), control_hz=3.0),
}


def named(name: str) -> ActionSpec:
    """The convention of that name. Raises UnknownName."""
    if name not in CONVENTIONS:
        raise UnknownName("action convention", name, CONVENTIONS, "--convention NAME")
    return CONVENTIONS[name]


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
