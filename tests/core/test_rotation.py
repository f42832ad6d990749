"""Every conversion against scipy's, which is another implementation of the same definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation as Reference

from vlm4vla.core import rotation

pytestmark = pytest.mark.filterwarnings("ignore:Gimbal lock")  # met on purpose
KINDS = [kind for kind in rotation.SIZES if kind != "none"]
TO_REFERENCE = {
    "euler_xyz": lambda v: Reference.from_euler("xyz", v),
    "euler_XYZ": lambda v: Reference.from_euler("XYZ", v),
    "rotvec": Reference.from_rotvec,
    "quat_wxyz": lambda v: Reference.from_quat(v, scalar_first=True),
    "quat_xyzw": Reference.from_quat,
    "rot6d": lambda v: Reference.from_matrix(rotation.to_matrix(np.asarray(v), "rot6d")),
}
FROM_REFERENCE = {
    "euler_xyz": lambda r: r.as_euler("xyz"),
    "euler_XYZ": lambda r: r.as_euler("XYZ"),
    "rotvec": lambda r: r.as_rotvec(),
    "quat_wxyz": lambda r: r.as_quat(scalar_first=True),
    "quat_xyzw": lambda r: r.as_quat(),
    "rot6d": lambda r: (
        r.as_matrix()[..., :2].swapaxes(-1, -2).reshape(*r.as_matrix().shape[:-2], 6)
    ),
}
quaternions = st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(
    lambda q: np.linalg.norm(q) > 0.1
)


def same_turn(left, right):
    np.testing.assert_allclose(left, right, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@given(quaternion=quaternions)
def test_matrices_are_scipys(kind, quaternion):
    reference = Reference.from_quat(quaternion)
    values = FROM_REFERENCE[kind](reference)
    same_turn(rotation.to_matrix(values, kind), TO_REFERENCE[kind](values).as_matrix())


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
@given(quaternion=quaternions)
def test_conversion_keeps_the_turn(source, target, quaternion):
    values = FROM_REFERENCE[source](Reference.from_quat(quaternion))
    converted = rotation.convert(values, source, target)
    assert converted.shape == (rotation.SIZES[target],)
    same_turn(TO_REFERENCE[target](converted).as_matrix(), TO_REFERENCE[source](values).as_matrix())


@pytest.mark.parametrize("kind", ["euler_xyz", "euler_XYZ"])
@pytest.mark.parametrize("x", [-2.5, 0.0, 0.7])
@pytest.mark.parametrize("z", [-1.1, 0.0, 3.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_gimbal_lock_keeps_the_turn(kind, x, z, sign):
    matrix = TO_REFERENCE[kind]([x, sign * np.pi / 2, z]).as_matrix()
    same_turn(rotation.to_matrix(rotation.from_matrix(matrix, kind), kind), matrix)


@pytest.mark.parametrize("angle", [0.0, 1e-14, 1e-9, 1e-5, np.pi - 1e-6, np.pi])
@pytest.mark.parametrize("axis", [[1, 0, 0], [0, -1, 0], [0, 0, 1], [0.6, 0, -0.8]])
def test_rotation_vectors_at_their_edges(angle, axis):
    vector = angle * np.array(axis, float)
    matrix = rotation.to_matrix(vector, "rotvec")
    same_turn(matrix, Reference.from_rotvec(vector).as_matrix())
    back = rotation.from_matrix(matrix, "rotvec")
    assert np.linalg.norm(back) <= np.pi + 1e-9
    same_turn(Reference.from_rotvec(back).as_matrix(), matrix)


@pytest.mark.parametrize("angle", [1e-9, 1e-7, 1e-5])
def test_tiny_turns_keep_their_precision(angle):
    """A policy's delta is often this small; it must not drown in rounding."""
    vector = np.array([angle, -angle / 2, angle / 3])
    back = rotation.convert(rotation.convert(vector, "rotvec", "quat_wxyz"), "quat_wxyz", "rotvec")
    np.testing.assert_allclose(back, vector, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_converted_element_by_element(kind):
    turns = Reference.random(12, rng=np.random.default_rng(0))
    values = FROM_REFERENCE[kind](turns)
    together = rotation.to_matrix(values.reshape(3, 4, -1), kind)
    assert together.shape == (3, 4, 3, 3)
    apart = np.stack([rotation.to_matrix(value, kind) for value in values])
    np.testing.assert_array_equal(together.reshape(12, 3, 3), apart)
    back = rotation.from_matrix(together, kind).reshape(12, -1)
    np.testing.assert_array_equal(
        back, np.stack([rotation.from_matrix(matrix, kind) for matrix in apart])
    )


def test_intrinsic_and_extrinsic_angles_differ():
    """ManiSkill3 and pybullet mean different turns by the same three numbers."""
    angles = np.array([0.3, 0.4, 0.5])
    extrinsic = rotation.to_matrix(angles, "euler_xyz")
    assert abs(extrinsic - rotation.to_matrix(angles, "euler_XYZ")).max() > 0.1
    same_turn(rotation.convert(angles, "euler_xyz", "euler_xyz"), angles)


def test_quaternions_need_no_unit_length():
    same_turn(
        rotation.to_matrix(np.array([2.0, 0, 0, 2.0]), "quat_wxyz"),
        Reference.from_euler("z", np.pi / 2).as_matrix(),
    )


def test_six_numbers_of_a_network_become_a_rotation_all_the_same():
    """Zhou et al. 2019: the columns need be neither orthogonal nor of length one."""
    raw = np.array([2.0, 0.0, 0.0, 5.0, 3.0, 0.0])
    np.testing.assert_allclose(rotation.to_matrix(raw, "rot6d"), np.eye(3), atol=1e-12)
    sheared = np.random.default_rng(0).normal(size=(20, 6))
    matrices = rotation.to_matrix(sheared, "rot6d")
    np.testing.assert_allclose(matrices @ matrices.swapaxes(-1, -2), [np.eye(3)] * 20, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0)
