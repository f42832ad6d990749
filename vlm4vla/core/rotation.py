"""Rotations in numpy: conversions between the representations that actions and poses use.

Quaternions are `wxyz` unless a name says otherwise. `euler_xyz` is extrinsic (fixed axes, first x,
then y, then z: R = Rz @ Ry @ Rx, what pybullet and the RLDS datasets use); `euler_XYZ` is intrinsic
(R = Rx @ Ry @ Rz, what ManiSkill3 uses). `rot6d` is the matrix's first two columns, one after the
other (Zhou et al. 2019, "On the Continuity of Rotation Representations"). All functions accept
leading batch dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rotation = Literal["none", "euler_xyz", "euler_XYZ", "rotvec", "quat_wxyz", "quat_xyzw", "rot6d"]


def _axis(angle: Array, axis: int) -> Array:
    """Rotation matrices (..., 3, 3) about coordinate axis 0, 1 or 2 by `angle` (...) radians."""
    matrix = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angle), np.sin(angle)
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i], matrix[..., j, j] = cos, cos
    matrix[..., j, i], matrix[..., i, j] = sin, -sin
    return matrix


def _matrix_from_euler(v: Array, order: Sequence[int]) -> Array:
    """The product of the turns about these axes, from left to right."""
    left, middle, right = (_axis(v[..., axis], axis) for axis in order)
    return left @ middle @ right


def _matrix_from_rotvec(v: Array) -> Array:
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    safe = np.where(angle > 1e-12, angle, 1.0)
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape[:-1], 3, 3)
    small = angle <= 1e-12
    first = np.where(small, 1.0, np.sin(safe) / safe)
    second = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    return np.eye(3) + first * cross + second * (cross @ cross)


def _matrix_from_quat_wxyz(q: Array) -> Array:
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    w, x, y, z = (q[..., i] for i in range(4))
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, -1).reshape(*q.shape[:-1], 3, 3)


def _matrix_from_rot6d(v: Array) -> Array:
    """Gram-Schmidt on the two columns, which a network need not give orthonormal."""
    first = v[..., :3] / np.linalg.norm(v[..., :3], axis=-1, keepdims=True)
    second = v[..., 3:] - (first * v[..., 3:]).sum(-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], -1)


def _quat_wxyz_from_matrix(m: Array) -> Array:
    """Shepperd's method, choosing per matrix the numerically largest component; w >= 0."""
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    diagonal = np.stack([trace, m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], -1)
    squares = np.maximum(1 + 2 * diagonal - trace[..., None], 0)  # 4 * component ** 2
    squares[..., 0] = np.maximum(1 + trace, 0)
    w, x, y, z = np.moveaxis(squares, -1, 0)
    wx = m[..., 2, 1] - m[..., 1, 2]
    wy = m[..., 0, 2] - m[..., 2, 0]
    wz = m[..., 1, 0] - m[..., 0, 1]
    xy = m[..., 1, 0] + m[..., 0, 1]
    xz = m[..., 0, 2] + m[..., 2, 0]
    yz = m[..., 2, 1] + m[..., 1, 2]
    products = np.array([[w, wx, wy, wz], [wx, x, xy, xz], [wy, xy, y, yz], [wz, xz, yz, z]])
    rows = np.moveaxis(products, (0, 1), (-2, -1))
    best = np.argmax(squares, -1)[..., None, None]
    q: Array = np.take_along_axis(rows, best, -2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def _rotvec_from_matrix(m: Array) -> Array:
    q = _quat_wxyz_from_matrix(m)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    scale = np.where(sine > 1e-12, angle / np.where(sine > 1e-12, sine, 1.0), 2.0)
    return q[..., 1:] * scale


def _euler_xyz_from_matrix(m: Array) -> Array:
    """Extrinsic x, y, z; in gimbal lock x carries the whole turn and z is 0."""
    cos_y = np.hypot(m[..., 0, 0], m[..., 1, 0])
    # The square root of the rounding: above it the angles keep 3e-8, below it no more is lost.
    locked = cos_y < 1.5e-8
    y = np.arctan2(-m[..., 2, 0], cos_y)
    x = np.where(
        locked, np.arctan2(-m[..., 1, 2], m[..., 1, 1]), np.arctan2(m[..., 2, 1], m[..., 2, 2])
    )
    z = np.where(locked, 0.0, np.arctan2(m[..., 1, 0], m[..., 0, 0]))
    return np.stack([x, y, z], -1)


class _Representation(NamedTuple):
    size: int
    to_matrix: Callable[[Array], Array]
    from_matrix: Callable[[Array], Array]


_REPRESENTATIONS: dict[Rotation, _Representation] = {
    "euler_xyz": _Representation(
        3, lambda v: _matrix_from_euler(v, (2, 1, 0)), _euler_xyz_from_matrix
    ),
    "euler_XYZ": _Representation(
        3,
        lambda v: _matrix_from_euler(v, (0, 1, 2)),
        # The extrinsic angles of the transposed matrix, negated.
        lambda m: -_euler_xyz_from_matrix(np.swapaxes(m, -1, -2)),
    ),
    "rotvec": _Representation(3, _matrix_from_rotvec, _rotvec_from_matrix),
    "quat_wxyz": _Representation(4, _matrix_from_quat_wxyz, _quat_wxyz_from_matrix),
    "quat_xyzw": _Representation(
        4,
        lambda q: _matrix_from_quat_wxyz(np.roll(q, 1, -1)),
        lambda m: np.roll(_quat_wxyz_from_matrix(m), -1, -1),
    ),
    "rot6d": _Representation(
        6, _matrix_from_rot6d, lambda m: np.concatenate([m[..., :, 0], m[..., :, 1]], -1)
    ),
}
SIZES: dict[Rotation, int] = {"none": 0, **{n: r.size for n, r in _REPRESENTATIONS.items()}}


def to_matrix(rotation: Array, kind: Rotation) -> Array:
    """Rotation matrices (..., 3, 3) of `rotation` (..., SIZES[kind]), angles in radians."""
    return _REPRESENTATIONS[kind].to_matrix(np.asarray(rotation, np.float64))


def from_matrix(matrix: Array, kind: Rotation) -> Array:
    """The representation (..., SIZES[kind]) of rotation matrices (..., 3, 3), in radians."""
    return _REPRESENTATIONS[kind].from_matrix(np.asarray(matrix, np.float64))


def convert(rotation: Array, source: Rotation, target: Rotation) -> Array:
    """`rotation` (..., SIZES[source]) in the representation `target`, untouched if equal."""
    if source == target:
        return np.asarray(rotation, np.float64)
    return from_matrix(to_matrix(rotation, source), target)
