"""Action conventions: those of published data sets by name, and any of them as JSON.

Numbers alone do not say whether +1 opens the gripper. A LeRobot folder or an hdf5 file does not say
what its numbers mean; the user does, by one of these names. What `to_json` writes travels from the
demonstrations into the checkpoint and from there into evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import cast

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput, InvalidFile, UnknownName
from vlm4vla.core.formats import FileFormat, refuse_unknown
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

SOURCES: Mapping[str, str] = {
    "calvin": "mees/calvin_env: `rel_actions` on the last target",
    "libero": "robosuite's OSC_POSE as LIBERO configures it",
    "bridge": "Open X-Embodiment as OpenVLA relabels it: metres and radians per step",
    "fractal": "Open X-Embodiment as OpenVLA relabels it: metres and radians per step",
}
"""Convention -> where it is defined."""


def named(name: str) -> ActionSpec:
    """The convention of that name. Raises UnknownName."""
    if name not in CONVENTIONS:
        raise UnknownName("action convention", name, CONVENTIONS, "--convention NAME")
    return CONVENTIONS[name]


_FORMAT = FileFormat("action convention")


def to_json(spec: ActionSpec) -> Mapping[str, JSON]:
    """`spec` as plain JSON values, with the number of their format."""
    return _FORMAT.numbered(cast(Mapping[str, JSON], asdict(spec)))


def from_json(value: JSON, source: str) -> ActionSpec:
    """The spec that `to_json` wrote; a field it lacks has its default.

    Raises:
        InvalidFile: naming `source`, for anything else.
    """
    content = _FORMAT.upgraded(value, source)
    refuse_unknown(content, [field.name for field in fields(ActionSpec)], source)
    gripper = content.get("gripper")
    if isinstance(gripper, Mapping):
        refuse_unknown(gripper, [field.name for field in fields(Gripper)], source)
    for name, kinds in _KINDS.items():
        if name in content and type(content[name]) not in kinds:
            raise InvalidFile(f"{source}: {name} cannot be {content[name]!r}.")
    for name, known in _CHOICES.items():
        if content.get(name, known[0]) not in known:
            raise InvalidFile(f"{source}: {name} '{content[name]}' is not known.")
    try:
        for name in _NUMBERS:
            if name in content:
                content[name] = cast(JSON, _numbers(content[name]))
        if isinstance(gripper, Mapping):
            content["gripper"] = cast(JSON, Gripper(**gripper))  # type: ignore[arg-type]
        return ActionSpec(**content)  # type: ignore[arg-type]
    except (TypeError, ValueError, BadInput) as error:
        raise InvalidFile(f"{source}: the action convention cannot be read: {error}.") from error


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "control": ("delta", "absolute"),
    "reference": ("target", "measured", "any"),
    "rotation": tuple(SIZES),
}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "frame": (str,),
    "statistics": (str, type(None)),
    "control_hz": (int, float, type(None)),
    "joints": (int,),
    "gripper": (dict, type(None)),
}
_NUMBERS = ("translation_scale", "rotation_scale", "low", "high", "joint_scale")


def _numbers(value: JSON) -> float | tuple[float, ...]:
    """A number, or a list of them as a tuple."""
    if isinstance(value, list | tuple):
        return tuple(float(cast(float, number)) for number in value)
    return float(cast(float, value))
