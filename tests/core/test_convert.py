"""Actions and images change convention without changing meaning, or are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vlm4vla.core import rotation
from vlm4vla.core.convert import action_converter, check, orient, proprio_converter
from vlm4vla.core.errors import BadInput, SpecMismatch
from vlm4vla.core.specs import (
    ActionSpec,
    CameraRequest,
    CameraSpec,
    Gripper,
    ObservationRequest,
    ObservationSpec,
    PolicySpec,
    ProprioPart,
    SimulatorSpec,
    opening,
    orientation,
    position,
)

TOP = CameraRequest("top")

scales = st.tuples(*[st.floats(0.01, 10)] * 3)
signed_scales = st.tuples(*[st.floats(0.05, 2) | st.floats(-2, -0.05)] * 3)
turning = st.sampled_from([kind for kind in rotation.SIZES if kind != "none"])
grippers = st.sampled_from(
    [Gripper(1, -1), Gripper(-1, 1), Gripper(0, 1), Gripper(1, 0), Gripper(0.04, 0)]
)
specs = st.builds(
    ActionSpec,
    translation_scale=scales,
    rotation=turning,
    rotation_scale=signed_scales,
    gripper=grippers,
)


def pose(action, spec):
    """Metres, rotation matrix and opening (0..1) that an action stands for."""
    turn = action[3 : 3 + rotation.SIZES[spec.rotation]]
    if rotation.SIZES[spec.rotation] == 3:
        turn = turn * np.array(spec.rotation_scale)
    opening = (action[-1] - spec.gripper.closed) / (spec.gripper.open - spec.gripper.closed)
    return (
        action[:3] * np.array(spec.translation_scale),
        rotation.to_matrix(turn, spec.rotation),
        opening,
    )


@st.composite
def actions(draw, spec):
    numbers = [draw(st.floats(-1, 1)) for _ in range(spec.size - 1)]
    turn = numbers[3:]
    if spec.rotation.startswith("quat") and np.linalg.norm(turn) < 0.1:
        numbers[3:] = [1.0, 0.0, 0.0, 0.0]
    grip = draw(st.sampled_from([spec.gripper.open, spec.gripper.closed]))
    return np.array([*numbers, grip])


@given(data=st.data(), source=specs, target=specs)
def test_conversion_keeps_what_an_action_means(data, source, target):
    action = data.draw(actions(source))
    converted = action_converter(source, target)(action)
    assert converted.shape == (target.size,)
    for before, after in zip(pose(action, source), pose(converted, target), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)


@given(data=st.data(), source=specs, target=specs)
def test_there_and_back_means_the_same(data, source, target):
    action = data.draw(actions(source))
    back = action_converter(target, source)(action_converter(source, target)(action))
    for before, after in zip(pose(action, source), pose(back, source), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)


@given(spec=specs)
def test_the_same_convention_changes_no_bit(spec):
    action = np.random.default_rng(0).normal(size=(8, spec.size))
    assert action_converter(spec, spec)(action) is action


def test_a_chunk_is_converted_action_by_action():
    source, target = ActionSpec(), ActionSpec(rotation="quat_wxyz", gripper=Gripper(0, 1))
    chunk = np.random.default_rng(1).uniform(-1, 1, (5, 7))
    convert = action_converter(source, target)
    together = convert(chunk)
    assert together.shape == (5, 8)
    np.testing.assert_array_equal(together, np.stack([convert(action) for action in chunk]))


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        (Gripper(1, -1), Gripper(-1, 1), 1.0, -1.0),
        (Gripper(1, -1), Gripper(0, 1), 1.0, 0.0),
        (Gripper(1, -1), Gripper(1, 0), -1.0, 0.0),
        (Gripper(1, 0), Gripper(1, -1), 0.25, -0.5),
        (Gripper(1, 0), Gripper(1, -1, binary=True), 0.25, -1.0),
        (Gripper(1, 0), Gripper(-1, 1, binary=True), 0.75, -1.0),
    ],
)
def test_open_stays_open_whatever_its_sign(source, target, value, expected):
    convert = action_converter(ActionSpec(gripper=source), ActionSpec(gripper=target))
    assert convert(np.array([0, 0, 0, 0, 0, 0, value]))[-1] == pytest.approx(expected)


def test_nothing_is_clipped():
    convert = action_converter(ActionSpec(), ActionSpec(translation_scale=(0.1, 0.1, 0.1)))
    np.testing.assert_allclose(convert(np.ones(7))[:3], 10)


def test_without_rotation_means_no_turn():
    convert = action_converter(ActionSpec(rotation="none"), ActionSpec(rotation="rotvec"))
    np.testing.assert_array_equal(convert(np.array([1.0, 2, 3, -1])), [1, 2, 3, 0, 0, 0, -1])


REFUSED = [
    ({"control": "absolute"}, "control"),
    ({"frame": "tcp"}, "frame"),
    ({"reference": "measured"}, "reference"),
    ({"gripper": None}, "gripper"),
    ({"control_hz": 5.0}, "control_hz"),
    ({"rotation": "none"}, "rotation"),
]


@pytest.mark.parametrize(("change", "field"), REFUSED)
def test_what_cannot_be_converted_is_refused_with_both_specs(change, field):
    policy = ActionSpec(reference="target", control_hz=20.0, rotation="rotvec")
    simulator = replace(policy, **change)
    with pytest.raises(SpecMismatch) as refused:
        action_converter(policy, simulator)
    text = str(refused.value)
    marked = [line.split()[1] for line in text.splitlines() if line.startswith("*")]
    assert marked == [field]
    assert str(getattr(policy, field)) in text and str(getattr(simulator, field)) in text
    with pytest.raises(SpecMismatch) as checked:
        check(PolicySpec(policy), SimulatorSpec("world", simulator, ObservationSpec(), 10))
    assert "simulator 'world'" in checked.value.message and f"* {field}" in str(checked.value)


def test_a_policy_that_leaves_rate_and_reference_open_fits():
    action_converter(ActionSpec(), ActionSpec(reference="measured", control_hz=5.0))


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (
            ObservationRequest((CameraRequest("wrist"),)),
            "no camera 'wrist' .*: top, third_person",
        ),
        (ObservationRequest((CameraRequest("top", 64, 64),)), "fixed at 256x256"),
        (ObservationRequest(proprio=(position(),)), "no proprioception 'position'"),
        (ObservationRequest((TOP, replace(TOP, name="image"))), "the same one \\(top, top\\)"),
        (ObservationRequest((replace(TOP, offsets=(-1,)),)), "camera 'top' offsets"),
        (ObservationRequest(proprio_offsets=(0, 0)), "proprioception offsets"),
        (ObservationRequest(privileged=True), "no privileged state"),
        (ObservationRequest(offsets=(0, -2)), "must ascend"),
        (ObservationRequest(offsets=(-2,)), "end with 0"),
        (ObservationRequest(offsets=()), "end with 0"),
    ],
)
def test_what_cannot_be_observed_is_refused(request_, reason):
    offered = ObservationSpec((CameraSpec("top", 256, 256, resizable=False, role="third_person"),))
    simulator = SimulatorSpec("world", ActionSpec(), offered, 10)
    with pytest.raises(SpecMismatch, match=reason):
        check(PolicySpec(ActionSpec(), request_), simulator)
    check(
        PolicySpec(ActionSpec(), ObservationRequest((CameraRequest("top", 256, 256),))), simulator
    )


HAND = (position("base"), orientation("quat_wxyz"), opening(0.08, unit="m"))
TWO_WRISTS = ObservationSpec(
    (CameraSpec("left", 8, 8, role="wrist"), CameraSpec("right", 8, 8, role="wrist"))
)


def test_a_role_that_two_cameras_have_names_neither():
    assert TWO_WRISTS.camera("wrist") is None and TWO_WRISTS.camera("left") is TWO_WRISTS.cameras[0]
    aliased = ObservationSpec((CameraSpec("left", 8, 8, aliases=("wrist_l",), role="wrist"),))
    assert aliased.camera("wrist_l") is aliased.cameras[0] is aliased.camera("rgb_gripper")


@given(quaternion=st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_proprioception_keeps_its_meaning(quaternion):
    """LIBERO's policies read position, axis-angle and two fingers' width of a wxyz simulator."""
    turn = np.array(quaternion)
    assume(np.linalg.norm(turn) > 0.1)
    wanted = (opening(1.0), orientation("rotvec"), position("base", "mm"))
    there = proprio_converter(HAND, wanted)
    numbers = there(np.array([0.1, 0.2, 0.3, *turn, 0.02]))
    assert numbers.shape == (7,) and numbers[0] == pytest.approx(0.25)
    np.testing.assert_allclose(numbers[4:], [100, 200, 300])
    np.testing.assert_allclose(
        rotation.to_matrix(numbers[1:4], "rotvec"), rotation.to_matrix(turn, "quat_wxyz"), atol=1e-6
    )
    back = proprio_converter(wanted, HAND)(numbers)
    np.testing.assert_allclose(back[[0, 1, 2, 7]], [0.1, 0.2, 0.3, 0.02])


def test_the_same_layout_changes_no_bit():
    numbers = np.random.default_rng(0).normal(size=8)
    assert proprio_converter(HAND, HAND)(numbers) is numbers
    some = proprio_converter(HAND, HAND[::-1])(numbers)
    np.testing.assert_array_equal(some, [*numbers[7:], *numbers[3:7], *numbers[:3]])


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (position("world"), "in frame 'base', not 'world'"),
        (ProprioPart("rotation", 3, "rad", "base"), "rotation on one side only"),
        (ProprioPart("gripper", 1, "m"), "open and closed on one side only"),
        (ProprioPart("position", 2, "m", "base"), "has 3 numbers, not 2"),
        (ProprioPart("position", 3, "rad", "base"), "is in m, which is no rad"),
        (ProprioPart("joints", 7, "rad"), "no proprioception 'joints' .*position, rotation"),
    ],
)
def test_proprioception_that_is_another_one_is_refused_with_both_layouts(part, reason):
    simulator = SimulatorSpec("world", ActionSpec(), ObservationSpec(proprio=HAND), 10)
    policy = PolicySpec(ActionSpec(), ObservationRequest(proprio=(part,)))
    with pytest.raises(SpecMismatch, match=reason) as refused:
        check(policy, simulator)
    assert "wanted:" in str(refused.value) and "offered:" in str(refused.value)
    with pytest.raises(SpecMismatch, match=reason):
        proprio_converter(HAND, (part,))


JOINTS = ActionSpec(
    joints=7, joint_scale=(0.1,) * 7, low=(-2.0,) * 7 + (0.0,), high=(2.0,) * 7 + (1,)
)


METRES = ActionSpec(low=(-0.1,) * 6 + (-9,), high=(0.1,) * 6 + (9,))
"""Metres and radians, up to 0.1 of each."""
UNITS = ActionSpec(translation_scale=(0.05,) * 3, rotation_scale=(0.1,) * 3, low=-2.0, high=2.0)


@pytest.mark.parametrize(
    ("policy", "simulator", "axis"),
    [
        (METRES, UNITS, None),
        (replace(METRES, high=(0.1, 0.1, 0.101) + (0.1,) * 4), UNITS, 2),
        (replace(METRES, low=(-0.1,) * 5 + (-0.3, 0)), UNITS, 5),
        (replace(METRES, low=(-0.1,) * 5 + (-0.3, 0), rotation="rotvec"), UNITS, None),
        (METRES, replace(UNITS, low=(-2.0, -1.0, *(-2.0,) * 5)), 1),
        (UNITS, replace(UNITS, translation_scale=(0.1,) * 3, low=-1.0, high=1.0), 3),
        (ActionSpec(), UNITS, None),  # it says nothing of its range
        (JOINTS, JOINTS, None),
        (JOINTS, replace(JOINTS, joint_scale=(0.05,) * 7), 0),
    ],
)
def test_a_range_is_compared_in_the_simulators_units(policy, simulator, axis):
    world = SimulatorSpec("world", simulator, ObservationSpec(), 10)
    if axis is None:
        check(PolicySpec(policy), world)
    else:
        with pytest.raises(SpecMismatch, match=f"simulator 'world': number {axis} of its actions"):
            check(PolicySpec(policy), world)


def test_joint_commands_keep_their_radians_and_never_become_poses():
    assert JOINTS.size == 8
    degrees = replace(JOINTS, joint_scale=(np.pi / 180,) * 7)
    command = np.arange(8.0)
    converted = action_converter(JOINTS, degrees)(command)
    np.testing.assert_allclose(converted[:7] * np.pi / 180, command[:7] * 0.1)
    assert converted[7] == command[7]
    with pytest.raises(SpecMismatch, match="poses of the hand, the simulator takes 7 joints"):
        action_converter(ActionSpec(), JOINTS)


def test_an_absolute_pose_needs_its_rotation():
    """No rotation is no turn for a delta; for a pose it would be an orientation of 0, 0, 0."""
    still, turning = ActionSpec(control="absolute", rotation="none"), ActionSpec(control="absolute")
    with pytest.raises(SpecMismatch, match="wants an absolute rotation and the policy gives none"):
        action_converter(still, turning)


@pytest.mark.parametrize("old", [True, ("x [m]", "y [m]"), "position"])
def test_what_0_2_took_for_proprioception_is_refused_with_the_fix(old):
    for spec in (ObservationRequest, ObservationSpec):
        with pytest.raises(BadInput) as refused:
            spec(proprio=old)
        assert "proprio=simulator.observation.proprio" in refused.value.fix
    with pytest.raises(BadInput, match="one name"):
        ObservationSpec(proprio=(position(), position("world")))


def test_six_dimensional_rotations_convert_like_any_other():
    spec = ActionSpec(rotation="rot6d")
    assert spec.size == 10
    action = np.array([1.0, 2, 3, *np.eye(3)[:, 0], *np.eye(3)[:, 1], -1])
    back = action_converter(spec, ActionSpec(rotation="rotvec"))(action)
    np.testing.assert_allclose(back, [1, 2, 3, 0, 0, 0, -1])
    with pytest.raises(SpecMismatch, match="wants rot6d and the policy gives no rotation"):
        action_converter(ActionSpec(rotation="none"), spec)


@pytest.mark.parametrize("wrong", [{"low": (0.0,) * 6}, {"high": ()}, {"joint_scale": (1.0,)}])
def test_a_range_or_scale_of_another_size_is_refused(wrong):
    with pytest.raises(BadInput, match=f"{next(iter(wrong))} has"):
        ActionSpec(**wrong)


def test_a_threshold_of_its_own_decides_what_open_is():
    careful = Gripper(open=1.0, closed=0.0, threshold=0.9)
    convert = action_converter(
        ActionSpec(gripper=careful), ActionSpec(gripper=Gripper(1, -1, binary=True))
    )
    assert [convert(np.array([0, 0, 0, 0, 0, 0, x]))[-1] for x in (0.89, 0.91)] == [-1, 1]


FRAME = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical", "rotate180"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_orienting_twice_is_no_change(flip, colour):
    request = CameraRequest("top", flip=flip, colour=colour)
    once = orient(FRAME, request)
    assert (flip, colour) == ("none", "rgb") or (once != FRAME).any()
    assert once.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(orient(once, request), FRAME)


def test_each_orientation_moves_the_corner_where_it_says():
    corner = FRAME[0, 0]
    assert (orient(FRAME, CameraRequest("c", flip="horizontal"))[0, -1] == corner).all()
    assert (orient(FRAME, CameraRequest("c", flip="vertical"))[-1, 0] == corner).all()
    assert (orient(FRAME, CameraRequest("c", flip="rotate180"))[-1, -1] == corner).all()
    assert (orient(FRAME, CameraRequest("c", colour="bgr"))[0, 0] == corner[::-1]).all()
