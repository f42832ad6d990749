"""The one place where actions and images change convention."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from vlm4vla.core.errors import SpecMismatch
from vlm4vla.core.rotation import SIZES, Rotation, convert
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.core.specs import (
    ActionSpec,
    CameraRequest,
    Gripper,
    ObservationRequest,
    ObservationSpec,
    PolicySpec,
    ProprioPart,
    SimulatorSpec,
    Unit,
)

Converter = Callable[[Floats], Floats]

_UNITS: Mapping[Unit, tuple[str, float]] = {
    "1": ("number", 1.0),
    "m": ("length", 1.0),
    "mm": ("length", 1e-3),
    "rad": ("angle", 1.0),
    "deg": ("angle", np.pi / 180),
}
"""Unit -> what it measures, and how much of that quantity's first unit it is."""
_SLACK = 1e-6
"""What two ranges may differ by when one was converted."""


def check(policy: PolicySpec, simulator: SimulatorSpec) -> None:
    """Raise SpecMismatch, with both sides printed, unless the two can work together."""
    reasons = _action_conflicts(policy.action, simulator.action)
    reasons = reasons or list(_range_conflicts(policy.action, simulator.action))
    reasons += _observation_conflicts(policy.request, simulator.observation)
    if reasons:
        raise SpecMismatch(
            f"The policy does not fit simulator '{simulator.simulator}': {'; '.join(reasons)}.\n"
            + _side_by_side(policy, simulator),
            "Give the policy a spec that matches (Policy.describe), or choose another suite.",
        )


def action_converter(source: ActionSpec, target: ActionSpec) -> Converter:
    """A function from actions (..., source.size) to actions (..., target.size).

    Translation and rotation keep their physical value, the gripper its meaning. Nothing is clipped:
    the simulator does that, by its own rule.
    """
    reasons = _action_conflicts(source, target)
    if reasons:
        raise SpecMismatch("; ".join(reasons), _both(source, target))
    if source == target:
        return lambda actions: actions
    pairs = zip(_laid_out(_numbers_of(source)), _numbers_of(target), strict=True)
    return _converter([(*place, wanted) for place, wanted in pairs])


def proprio_converter(offered: Sequence[ProprioPart], wanted: Sequence[ProprioPart]) -> Converter:
    """A function from a simulator's proprioception (P,) to the one a policy wants (Q,).

    Parts are found by name, put in the order wanted and written as wanted: representation of the
    rotation, unit, the gripper's values. Raises SpecMismatch where one has no equivalent.
    """
    reasons = _proprio_conflicts(offered, wanted)
    if reasons:
        raise SpecMismatch("; ".join(reasons), _parts("offered", offered))
    if tuple(offered) == tuple(wanted):
        return lambda numbers: numbers
    names = [part.name for part in offered]
    places = dict(zip(names, _laid_out(map(_numbers_in, offered)), strict=True))
    return _converter([(*places[part.name], _numbers_in(part)) for part in wanted])


def orient(frame: Frames, request: CameraRequest) -> Frames:
    """An upright RGB frame (H, W, 3) as the policy's training data showed it."""
    if request.flip in ("vertical", "rotate180"):
        frame = frame[::-1]
    if request.flip in ("horizontal", "rotate180"):
        frame = frame[:, ::-1]
    if request.colour == "bgr":
        frame = frame[..., ::-1]
    return np.ascontiguousarray(frame)


@dataclass(frozen=True)
class _Numbers:
    """Numbers of one kind that stand side by side in an action or in the proprioception."""

    size: int
    scale: Sequence[float] = (1.0,)
    """What 1 stands for, in metres or radians: of all of them, or of each."""
    rotation: Rotation = "none"
    gripper: Gripper | None = None


def _numbers_of(spec: ActionSpec) -> list[_Numbers]:
    if spec.joints:
        moving = [_Numbers(spec.joints, spec.joint_scale or (1.0,))]
    else:
        size = SIZES[spec.rotation]
        scale = spec.rotation_scale if size == 3 else (1.0,)
        moving = [_Numbers(3, spec.translation_scale), _Numbers(size, scale, spec.rotation)]
    return moving if spec.gripper is None else [*moving, _Numbers(1, gripper=spec.gripper)]


def _numbers_in(part: ProprioPart) -> _Numbers:
    return _Numbers(part.size, (_UNITS[part.unit][1],), part.rotation, part.gripper)


def _laid_out(parts: Iterable[_Numbers]) -> Iterator[tuple[slice, _Numbers]]:
    """Each with its place, one behind the other."""
    end = 0
    for part in parts:
        start, end = end, end + part.size
        yield slice(start, end), part


def _converter(parts: Sequence[tuple[slice, _Numbers, _Numbers]]) -> Converter:
    """Parts are a place among the numbers converted, what is there, and what is wanted of it."""
    return lambda numbers: np.concatenate(
        [_convert(numbers[..., place], here, wanted) for place, here, wanted in parts], -1
    )


def _convert(numbers: Floats, source: _Numbers, target: _Numbers) -> Floats:
    if source.gripper is not None and target.gripper is not None:
        return _convert_gripper(numbers, source.gripper, target.gripper)
    inwards, outwards = (np.asarray(part.scale, np.float64) for part in (source, target))
    if source.rotation == target.rotation:
        return numbers * (inwards / outwards)
    if source.rotation == "none":
        return np.zeros((*numbers.shape[:-1], target.size))
    return convert(numbers * inwards, source.rotation, target.rotation) / outwards


def _convert_gripper(value: Floats, source: Gripper, target: Gripper) -> Floats:
    if source == target:
        return value
    reach = source.open - source.closed
    opening = (value - source.closed) / reach
    if target.binary:
        limit = 0.5 if source.threshold is None else (source.threshold - source.closed) / reach
        opening = (opening > limit).astype(np.float64)
    return target.closed + opening * (target.open - target.closed)


def _action_conflicts(source: ActionSpec, target: ActionSpec) -> list[str]:
    """Why `source` actions have no equivalent in `target`; empty if they do."""
    reasons = []
    if source.control != target.control:
        reasons.append(f"control is {source.control}, the simulator takes {target.control}")
    if source.joints != target.joints:
        reasons.append(f"it commands {_driven(source)}, the simulator takes {_driven(target)}")
    elif not source.joints:
        if source.frame != target.frame:
            reasons.append(f"frame is {source.frame}, the simulator's is {target.frame}")
        reasons += _rotation_conflicts(source, target)
    if "any" not in (source.reference, target.reference) and source.reference != target.reference:
        reasons.append(f"deltas refer to the {source.reference} pose, not the {target.reference}")
    if (source.gripper is None) != (target.gripper is None):
        reasons.append("only one of the two has a gripper")
    rates = source.control_hz, target.control_hz
    if None not in rates and source.control_hz != target.control_hz:
        reasons.append(f"control rate is {rates[0]:g} Hz, the simulator's {rates[1]:g} Hz")
    return reasons


def _range_conflicts(source: ActionSpec, target: ActionSpec) -> Iterator[str]:
    """Numbers of `source` that may lie beyond the range of those they become in `target`."""
    if (source.low, source.high) == (-1.0, 1.0):
        return  # the default: nothing was said of them
    lows, highs, least, most = (
        np.broadcast_to(np.asarray(ends, np.float64), spec.size)
        for spec in (source, target)
        for ends in (spec.low, spec.high)
    )
    there = _laid_out(_numbers_of(target))
    for (place, own), (into, wanted) in zip(_laid_out(_numbers_of(source)), there, strict=True):
        if own.gripper is not None or own.rotation != wanted.rotation:
            continue  # open and closed say it; no number of the one is a number of the other
        reach = np.sort([_convert(ends[place], own, wanted) for ends in (lows, highs)], axis=0)
        for axis in range(own.size):
            limits, (low, high) = (least[into][axis], most[into][axis]), reach[:, axis]
            if low < limits[0] - _SLACK or high > limits[1] + _SLACK:
                yield (
                    f"number {place.start + axis} of its actions goes from {low:g} to {high:g} in "
                    f"the simulator's units, which takes {limits[0]:g} to {limits[1]:g}"
                )


def _rotation_conflicts(source: ActionSpec, target: ActionSpec) -> list[str]:
    if source.rotation != "none":
        return ["the simulator takes no rotation"] if target.rotation == "none" else []
    if SIZES[target.rotation] > 3:
        return [f"the simulator wants {target.rotation} and the policy gives no rotation"]
    if target.rotation != "none" and source.control == "absolute":
        return ["the simulator wants an absolute rotation and the policy gives none"]
    return []


def _driven(spec: ActionSpec) -> str:
    return f"{spec.joints} joints" if spec.joints else "poses of the hand"


def _proprio_conflicts(offered: Sequence[ProprioPart], wanted: Sequence[ProprioPart]) -> list[str]:
    """Why the wanted parts cannot be had; empty if they can."""
    there = {part.name: part for part in offered}
    reasons: list[str] = []
    for part in wanted:
        if part.name in there:
            what = f"proprioception '{part.name}'"
            reasons += (f"{what} {reason}" for reason in _part_conflicts(there[part.name], part))
        else:
            names = ", ".join(there) or "none"
            reasons.append(f"no proprioception '{part.name}' (there is: {names})")
    return reasons


def _part_conflicts(source: ProprioPart, target: ProprioPart) -> Iterator[str]:
    turns, opens = source.rotation != "none", source.gripper is not None
    if source.frame != target.frame:
        yield f"is in frame '{source.frame}', not '{target.frame}'"
    if turns != (target.rotation != "none"):
        yield "is a rotation on one side only"
    elif not turns and source.size != target.size:
        yield f"has {source.size} numbers, not {target.size}"
    if opens != (target.gripper is not None):
        yield "says open and closed on one side only"
    # Open and closed, and rotations, have no unit.
    elif not (opens or turns) and _UNITS[source.unit][0] != _UNITS[target.unit][0]:
        yield f"is in {source.unit}, which is no {target.unit}"


def _observation_conflicts(request: ObservationRequest, offered: ObservationSpec) -> list[str]:
    reasons = []
    for wanted in request.cameras:
        camera = offered.camera(wanted.name)
        if camera is None:
            named = (f"{c.name}, {c.role}" if c.role else c.name for c in offered.cameras)
            names = ", ".join(named) or "none"
            reasons.append(f"no camera '{wanted.name}' (there are: {names})")
        elif not camera.resizable and (
            (wanted.height or camera.height, wanted.width or camera.width)
            != (camera.height, camera.width)
        ):
            reasons.append(f"camera '{wanted.name}' is fixed at {camera.height}x{camera.width}")
    taken = [camera.name for c in request.cameras if (camera := offered.camera(c.name))]
    if len(set(taken)) < len(taken):
        reasons.append(f"two of its cameras are the same one ({', '.join(taken)})")
    reasons += _proprio_conflicts(offered.proprio, request.proprio)
    if request.privileged and not offered.privileged:
        reasons.append("no privileged state")
    for what, offsets in (
        *((f"camera '{c.name}'", request.offsets_of(c)) for c in request.cameras),
        ("frame", request.offsets),
        ("proprioception", request.proprio_offsets),
    ):
        if not offsets or offsets[-1] != 0 or list(offsets) != sorted(set(offsets)):
            reasons.append(f"{what} offsets {offsets} must ascend and end with 0")
    return list(dict.fromkeys(reasons))


def _side_by_side(policy: PolicySpec, simulator: SimulatorSpec) -> str:
    """Both conventions, what the policy sends above what it wants to see."""
    request, offered = policy.request, simulator.observation
    rows = [_both(policy.action, simulator.action)]
    rows += [_parts("wanted", request.proprio), _parts("offered", offered.proprio)]
    return "\n".join(row for row in rows if row)


def _parts(title: str, parts: Sequence[ProprioPart]) -> str:
    """A layout of proprioception, a part a line."""
    rows = [
        f"    {part.name:12} {part.size} x {part.unit:4} {part.frame or '-':6} "
        + (part.rotation if part.rotation != "none" else "")
        + (f"open {part.gripper.open:g} closed {part.gripper.closed:g}" if part.gripper else "")
        for part in parts
    ]
    return "\n".join([f"  proprioception {title}:", *rows]) if rows else ""


def _both(policy: ActionSpec, simulator: ActionSpec) -> str:
    """Both action specs, a field a line, differing fields marked."""
    rows = [f"  {'':20} {'policy':32} simulator"]
    for field in fields(ActionSpec):
        ours, theirs = getattr(policy, field.name), getattr(simulator, field.name)
        mark = " " if ours == theirs else "*"
        rows.append(f"{mark} {field.name:20} {ours!s:32} {theirs!s}")
    return "\n".join(rows)
