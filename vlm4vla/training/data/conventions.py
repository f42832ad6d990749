"""Action conventions of published data sets, by name.

A LeRobot folder or an hdf5 file does not say what its numbers mean; the user does, by one of these
names. Sources: CALVIN (mees/calvin_env), LIBERO (robosuite's OSC_POSE), Open X-Embodiment as
OpenVLA relabels it (`bridge`, `fractal`: metres and radians per step, gripper 1 open, 0 closed).
"""

from __future__ import annotations

from vlm4vla.core.errors import UnknownName
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
