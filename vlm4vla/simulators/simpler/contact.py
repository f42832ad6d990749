"""What touches what, as upstream's rules read it from the last physics step."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from sapien import physx

from vlm4vla.core.simulator import Floats

LEAST_IMPULSE = 1e-6
"""Newton seconds in one physics step, from which a contact counts (upstream)."""

Contacts = Sequence[physx.PhysxContact]


def impulse(
    contacts: Contacts, on: physx.PhysxRigidBodyComponent, by: physx.PhysxRigidBodyComponent
) -> Floats:
    """(3,) impulse that `by` gave `on`, Ns."""
    total = np.zeros(3)
    for contact in contacts:
        first, second = contact.bodies
        if {first, second} == {on, by}:
            total += (1 if first == on else -1) * _summed(contact)
    return total


def presses(push: Floats, opening: Floats, widest_deg: float) -> bool:
    """Whether a finger holds something: `push` (3,) on it points where it would open."""
    size = float(np.linalg.norm(push))
    if size < LEAST_IMPULSE:
        return False
    cosine = float(np.clip(np.dot(opening, push) / size, -1, 1))
    return bool(np.degrees(np.arccos(cosine)) <= widest_deg)


def touches_other(
    contacts: Contacts,
    body: physx.PhysxRigidBodyComponent,
    allowed: Collection[physx.PhysxRigidBodyComponent],
) -> bool:
    """Whether `body` presses against anything but what is allowed, pair by pair."""
    for contact in contacts:
        first, second = contact.bodies
        if body not in (first, second):
            continue
        other = second if first == body else first
        if other not in allowed and float(np.linalg.norm(_summed(contact))) > LEAST_IMPULSE:
            return True
    return False


def touches_shape(
    contacts: Contacts, body: physx.PhysxRigidBodyComponent, shape: physx.PhysxCollisionShape
) -> bool:
    """Whether `body` presses against that shape of another, all points together."""
    between = [c for c in contacts if body in c.bodies and shape in c.shapes]
    total = sum((_summed(contact) for contact in between), np.zeros(3))
    return float(np.linalg.norm(total)) > LEAST_IMPULSE


def _summed(contact: physx.PhysxContact) -> Floats:
    return sum((np.asarray(p.impulse, np.float64) for p in contact.points), np.zeros(3))
