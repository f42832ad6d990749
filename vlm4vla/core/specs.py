"""Typed conventions: what a simulator offers and takes, what a policy needs and sends.

Most irreproducible VLA numbers come from exactly these fields: an image flipped twice, a gripper
sign, a statistics key. Every simulator and every policy carries them; `core.convert` turns one into
the other or refuses before the first step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vlm4vla.core.errors import BadInput
from vlm4vla.core.rotation import SIZES, Rotation

Vector3 = tuple[float, float, float]
Flip = Literal["none", "horizontal", "vertical", "rotate180"]
Role = Literal["third_person", "wrist"]
Unit = Literal["1", "m", "mm", "rad", "deg"]


@dataclass(frozen=True)
class Gripper:
    """A number that says how far the gripper is open: its value for open and for closed."""

    open: float = 1.0
    closed: float = -1.0
    binary: bool = False
    """The receiver takes only the two values: everything becomes one of them."""
    threshold: float | None = None
    """The value beyond which, towards `open`, it counts as open; the midpoint if None."""

    def __post_init__(self) -> None:
        """Open and closed are two values. Raises BadInput."""
        if self.open == self.closed:
            raise BadInput(f"A gripper whose open and closed are both {self.open:g} says nothing.")


@dataclass(frozen=True)
class ActionSpec:
    """One action: translation (3), rotation (0, 3, 4 or 6), gripper (0 or 1), in that order.

    Under joint control: `joints` numbers, then the gripper.
    """

    control: Literal["delta", "absolute"] = "delta"
    reference: Literal["target", "measured", "any"] = "any"
    """What a delta is added to: the last commanded target or the measured pose."""
    frame: str = "base"
    """The frame that translation and rotation are expressed in, e.g. `base`, `tcp`, `ee_align2`."""
    translation_scale: Vector3 = (1.0, 1.0, 1.0)
    """Metres per unit."""
    rotation: Rotation = "euler_xyz"
    rotation_scale: Vector3 = (1.0, 1.0, 1.0)
    """Radians per unit (three-number representations only)."""
    gripper: Gripper | None = field(default_factory=Gripper)
    low: float | tuple[float, ...] = -1.0
    high: float | tuple[float, ...] = 1.0
    """The range each number is meant for, one for all or one each; the simulator clips to it, and a
    policy whose own goes beyond is refused. -1 to 1, the default, says nothing of a policy's."""
    control_hz: float | None = None
    """Actions per second; None on a policy that does not care."""
    statistics: str | None = None
    """Name of the normalisation statistics already undone in these actions."""
    joints: int = 0
    """Joints that are commanded in place of translation and rotation; 0: Cartesian control."""
    joint_scale: tuple[float, ...] = ()
    """Radians per unit of each joint; empty: 1."""

    def __post_init__(self) -> None:
        """Refuse ranges and scales of another size than the action's. Raises BadInput."""
        for name, size in (
            ("low", self.size), ("high", self.size), ("translation_scale", 3),
            ("rotation_scale", 3), ("joint_scale", self.joints if self.joint_scale else 0),
        ):  # fmt: skip
            values = getattr(self, name)
            count = len(values) if isinstance(values, tuple) else 1
            if count != size and not (count == 1 and size == self.size):
                raise BadInput(f"An ActionSpec's {name} has {count} numbers, not {size}.")
            if name.endswith("scale") and not all(values):
                raise BadInput(f"An ActionSpec's {name} {values} holds a 0: nothing would move.")

    @property
    def size(self) -> int:
        """How many numbers an action has."""
        moving = self.joints or 3 + SIZES[self.rotation]
        return moving + (self.gripper is not None)


@dataclass(frozen=True)
class ProprioPart:
    """Some of the numbers that a robot knows of itself."""

    name: str
    """What they are: `position`, `rotation` and `gripper` of the hand, `joints`, or another word.
    A part is asked for by it."""
    size: int = 1
    unit: Unit = "1"
    frame: str = ""
    """The frame they are expressed in, e.g. `base` or `world`; empty where there is none."""
    rotation: Rotation = "none"
    """How a rotation is written; its angles are in `unit`."""
    gripper: Gripper | None = None
    """Its values for open and closed, where the part says how far the gripper is open."""

    def __post_init__(self) -> None:
        """A rotation has the size and the kind of unit of its representation. Raises BadInput."""
        if self.rotation == "none":
            return
        size = SIZES[self.rotation]
        units = ("rad", "deg") if size == 3 else ("1",)
        if self.size != size or self.unit not in units:
            raise BadInput(
                f"Proprioception '{self.name}': {self.rotation} is {size} numbers in "
                f"{' or '.join(units)}, not {self.size} in {self.unit}."
            )


def position(frame: str = "base", unit: Unit = "m") -> ProprioPart:
    """Where the hand is (3)."""
    return ProprioPart("position", 3, unit, frame)


def orientation(rotation: Rotation, frame: str = "base") -> ProprioPart:
    """How the hand is turned; angles in radians."""
    three = SIZES[rotation] == 3
    return ProprioPart("rotation", SIZES[rotation], "rad" if three else "1", frame, rotation)


def opening(open: float, closed: float = 0.0, unit: Unit = "1") -> ProprioPart:
    """How far the gripper is open (1): its values for open and closed."""
    return ProprioPart("gripper", 1, unit, gripper=Gripper(open, closed))


def _names_of(proprio: object) -> list[str]:
    """The parts' names. Raises BadInput where they are none: 0.2.0 took `True` and plain words."""
    parts = proprio if isinstance(proprio, tuple) else (proprio,)
    names = [part.name for part in parts if isinstance(part, ProprioPart)]
    if len(names) < len(parts):
        raise BadInput(
            f"Proprioception is a tuple of ProprioPart, not {proprio!r}.",
            "All that a simulator offers: proprio=simulator.observation.proprio",
        )
    return names


ROLE_NAMES: Mapping[Role, tuple[str, ...]] = {
    "third_person": (
        "static", "rgb_static", "agentview", "agentview_rgb", "agentview_image", "image",
        "image_primary", "primary", "front", "exterior_image_1_left", "base_0_rgb",
    ),
    "wrist": (
        "gripper", "rgb_gripper", "eye_in_hand", "eye_in_hand_rgb", "robot0_eye_in_hand",
        "robot0_eye_in_hand_image", "wrist_image", "wrist_image_left", "image_wrist", "hand",
        "left_wrist_0_rgb",
    ),
}  # fmt: skip
"""What data sets call a camera of each role: CALVIN, LIBERO, Open X-Embodiment, DROID, openpi."""


@dataclass(frozen=True)
class CameraSpec:
    """A camera a simulator has. Frames are uint8 RGB, upright, row 0 at the top."""

    name: str
    height: int
    width: int
    resizable: bool = True
    """Whether it renders at any requested size."""
    role: Role | None = None
    """What it is for: a policy may ask for it by its role, or by a data set's name for that."""
    aliases: tuple[str, ...] = ()
    """Further names of this one camera."""


@dataclass(frozen=True)
class ObservationSpec:
    """Everything a simulator can be asked to observe."""

    cameras: tuple[CameraSpec, ...] = ()
    proprio: tuple[ProprioPart, ...] = ()
    """The parts of the proprioception, in the order of its numbers."""
    privileged: tuple[str, ...] = ()
    """Names of the arrays of simulator state that only experts may see."""

    def __post_init__(self) -> None:
        """Parts are told apart by their names. Raises BadInput."""
        names = _names_of(self.proprio)
        if len(set(names)) < len(names):
            raise BadInput(f"Two parts of the proprioception have one name: {', '.join(names)}.")

    @property
    def proprio_size(self) -> int:
        """How many numbers the proprioception has."""
        return sum(part.size for part in self.proprio)

    def camera(self, name: str) -> CameraSpec | None:
        """The camera of that name, alias or role, if there is exactly one."""
        for of in (
            [c for c in self.cameras if c.name == name],
            [c for c in self.cameras if name in c.aliases],
            [c for c in self.cameras if c.role and name in (c.role, *ROLE_NAMES[c.role])],
        ):
            if of:
                return of[0] if len(of) == 1 else None
        return None


@dataclass(frozen=True)
class CameraRequest:
    """A camera a policy wants, and how its training data showed it."""

    name: str
    """The simulator's own name for it, an alias, or its role."""
    height: int | None = None
    width: int | None = None
    flip: Flip = "none"
    colour: Literal["rgb", "bgr"] = "rgb"
    offsets: tuple[int, ...] | None = None
    """Steps at which its frames are wanted; the whole request's if None."""


@dataclass(frozen=True)
class ObservationRequest:
    """What to render and read for one observation. An empty request costs no render."""

    cameras: tuple[CameraRequest, ...] = ()
    proprio: tuple[ProprioPart, ...] = ()
    """The parts wanted, in this order and in these conventions."""
    privileged: bool = False
    offsets: tuple[int, ...] = (0,)
    """Steps, relative to the query, at which frames are wanted, oldest first, ending with 0."""
    proprio_offsets: tuple[int, ...] = (0,)
    """Likewise for the proprioception."""

    def __post_init__(self) -> None:
        """Refuse what names no parts. Raises BadInput."""
        _names_of(self.proprio)

    def offsets_of(self, camera: CameraRequest) -> tuple[int, ...]:
        """Steps at which the frames of one of its cameras are wanted."""
        return self.offsets if camera.offsets is None else camera.offsets


@dataclass(frozen=True)
class SimulatorSpec:
    """A simulator as one suite configures it."""

    simulator: str
    action: ActionSpec
    observation: ObservationSpec
    max_steps: int
    stages: tuple[str, ...] = ()
    """Diagnostic milestones in the order in which a good episode reaches them."""
    measures: tuple[str, ...] = ()
    """Names of the per-episode numbers the simulator reports."""


@dataclass(frozen=True)
class PolicySpec:
    """What the engine must know of a policy before it is loaded."""

    action: ActionSpec
    request: ObservationRequest = field(default_factory=ObservationRequest)
    execution: str = "chunk"
    """Default execution of a chunk: `chunk`, `half`, `first`, a number, or `ensemble`.

    `chunk` gives way to a suite's own; anything else is not overridden without `--execute`.
    """
    batch_invariant: bool = True
    """An action does not depend, bit for bit, on what else is in the batch."""
    privileged: bool = False
    """The policy reads simulator state; its numbers are upper bounds, not results."""
    training_split: str = "none"
    checkpoint: str = ""
    """Hash of the weights; part of the run's identity."""
    arithmetic: Mapping[str, str | int | bool] = field(default_factory=dict)
    """What a network's last digits depend on (threads, device, number type): noted with the run."""
