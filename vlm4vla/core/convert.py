"""The one place where actions and images change convention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from vlm4vla.core import rotation
from vlm4vla.core.errors import SpecMismatch
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.core.specs import (
    ActionSpec,
    CameraRequest,
    ObservationRequest,
    ObservationSpec,
    PolicySpec,
    SimulatorSpec,
)

Converter = Callable[[Floats], Floats]


def check(policy: PolicySpec, simulator: SimulatorSpec) -> None:
    """Raise SpecMismatch, with both sides printed, unless the two can work together."""
    reasons = _action_conflicts(policy.action, simulator.action)
    reasons += _observation_conflicts(policy.request, simulator.observation)
    if reasons:
        raise SpecMismatch(
            f"The policy does not fit simulator '{simulator.simulator}': {'; '.join(reasons)}.\n"
            + _side_by_side(policy.action, simulator.action),
            "Give the policy a spec that matches (Policy.describe), or choose another suite.",
        )


def action_converter(source: ActionSpec, target: ActionSpec) -> Converter:
    """A function from actions (..., source.size) to actions (..., target.size).

    Translation and rotation keep their physical value, the gripper its meaning. Nothing is clipped:
    the simulator does that, by its own rule.
    """
    reasons = _action_conflicts(source, target)
    if reasons:
        raise SpecMismatch("; ".join(reasons), _side_by_side(source, target))
    if source == target:
        return lambda actions: actions

    def apply(actions: Floats) -> Floats:
        turned = actions[..., 3 : 3 + rotation.SIZES[source.rotation]]
        parts = [
            actions[..., :3] * _ratio(source.translation_scale, target.translation_scale),
            _convert_rotation(turned, source, target),
        ]
        if source.gripper is not None:
            parts.append(_convert_gripper(actions[..., -1:], source, target))
        return np.concatenate(parts, -1)

    return apply


def orient(frame: Frames, request: CameraRequest) -> Frames:
    """An upright RGB frame (H, W, 3) as the policy's training data showed it."""
    if request.flip in ("vertical", "rotate180"):
        frame = frame[::-1]
    if request.flip in ("horizontal", "rotate180"):
        frame = frame[:, ::-1]
    if request.colour == "bgr":
        frame = frame[..., ::-1]
    return np.ascontiguousarray(frame)


def _ratio(source: tuple[float, float, float], target: tuple[float, float, float]) -> Floats:
    return np.asarray(source, np.float64) / np.asarray(target, np.float64)


def _convert_rotation(turned: Floats, source: ActionSpec, target: ActionSpec) -> Floats:
    if source.rotation == "none":
        return np.zeros((*turned.shape[:-1], rotation.SIZES[target.rotation]))
    if source.rotation == target.rotation:
        if rotation.SIZES[source.rotation] != 3:
            return turned
        return turned * _ratio(source.rotation_scale, target.rotation_scale)
    if rotation.SIZES[source.rotation] == 3:
        turned = turned * np.asarray(source.rotation_scale)
    turned = rotation.convert(turned, source.rotation, target.rotation)
    if rotation.SIZES[target.rotation] == 3:
        turned = turned / np.asarray(target.rotation_scale)
    return turned


def _convert_gripper(value: Floats, source: ActionSpec, target: ActionSpec) -> Floats:
    if source.gripper is None or target.gripper is None or source.gripper == target.gripper:
        return value
    opening = (value - source.gripper.closed) / (source.gripper.open - source.gripper.closed)
    if target.gripper.binary:
        opening = (opening > 0.5).astype(np.float64)
    return target.gripper.closed + opening * (target.gripper.open - target.gripper.closed)


def _action_conflicts(source: ActionSpec, target: ActionSpec) -> list[str]:
    """Why `source` actions have no equivalent in `target`; empty if they do."""
    reasons = []
    if source.control != target.control:
        reasons.append(f"control is {source.control}, the simulator takes {target.control}")
    if source.frame != target.frame:
        reasons.append(f"frame is {source.frame}, the simulator's is {target.frame}")
    if "any" not in (source.reference, target.reference) and source.reference != target.reference:
        reasons.append(f"deltas refer to the {source.reference} pose, not the {target.reference}")
    if (source.gripper is None) != (target.gripper is None):
        reasons.append("only one of the two has a gripper")
    turns = source.rotation != "none"
    if turns and target.rotation == "none":
        reasons.append("the simulator takes no rotation")
    if not turns and target.rotation.startswith("quat"):
        reasons.append("the simulator wants a quaternion and the policy gives no rotation")
    rates = source.control_hz, target.control_hz
    if None not in rates and source.control_hz != target.control_hz:
        reasons.append(f"control rate is {rates[0]:g} Hz, the simulator's {rates[1]:g} Hz")
    return reasons


def _observation_conflicts(request: ObservationRequest, offered: ObservationSpec) -> list[str]:
    reasons = []
    for wanted in request.cameras:
        camera = offered.camera(wanted.name)
        if camera is None:
            names = ", ".join(c.name for c in offered.cameras) or "none"
            reasons.append(f"no camera '{wanted.name}' (there are: {names})")
        elif not camera.resizable and (
            (wanted.height or camera.height, wanted.width or camera.width)
            != (camera.height, camera.width)
        ):
            reasons.append(f"camera '{wanted.name}' is fixed at {camera.height}x{camera.width}")
    if request.proprio and not offered.proprio:
        reasons.append("no proprioception")
    if request.privileged and not offered.privileged:
        reasons.append("no privileged state")
    offsets = request.offsets
    if not offsets or offsets[-1] != 0 or list(offsets) != sorted(set(offsets)):
        reasons.append(f"frame offsets {offsets} must ascend and end with 0")
    return reasons


def _side_by_side(policy: ActionSpec, simulator: ActionSpec) -> str:
    """Both action specs, a field a line, differing fields marked."""
    rows = [f"  {'':20} {'policy':32} simulator"]
    for field in fields(ActionSpec):
        ours, theirs = getattr(policy, field.name), getattr(simulator, field.name)
        mark = " " if ours == theirs else "*"
        rows.append(f"{mark} {field.name:20} {ours!s:32} {theirs!s}")
    return "\n".join(rows)
