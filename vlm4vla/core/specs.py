"""Typed conventions: what a simulator offers and takes, what a policy needs and sends.

Most irreproducible VLA numbers come from exactly these fields: an image flipped twice, a gripper
sign, a statistics key. Every simulator and every policy carries them; `core.convert` turns one into
the other or refuses before the first step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vlm4vla.core.rotation import SIZES, Rotation

Vector3 = tuple[float, float, float]
Flip = Literal["none", "horizontal", "vertical", "rotate180"]


@dataclass(frozen=True)
class Gripper:
    """The last number of an action: its value for open and for closed."""

    open: float = 1.0
    closed: float = -1.0
    binary: bool = False
    """The receiver takes only the two values: everything is thresholded at the midpoint."""


@dataclass(frozen=True)
class ActionSpec:
    """One action: translation (3), rotation (0, 3 or 4), gripper (0 or 1), in that order."""

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
    low: float = -1.0
    high: float = 1.0
    """The range each number is meant for; the simulator clips to it."""
    control_hz: float | None = None
    """Actions per second; None on a policy that does not care."""
    statistics: str | None = None
    """Name of the normalisation statistics already undone in these actions."""

    @property
    def size(self) -> int:
        """How many numbers an action has."""
        return 3 + SIZES[self.rotation] + (self.gripper is not None)


@dataclass(frozen=True)
class CameraSpec:
    """A camera a simulator has. Frames are uint8 RGB, upright, row 0 at the top."""

    name: str
    height: int
    width: int
    resizable: bool = True
    """Whether it renders at any requested size."""


@dataclass(frozen=True)
class ObservationSpec:
    """Everything a simulator can be asked to observe."""

    cameras: tuple[CameraSpec, ...] = ()
    proprio: tuple[str, ...] = ()
    """Names of the proprioceptive numbers, with their unit, in order."""
    privileged: tuple[str, ...] = ()
    """Names of the arrays of simulator state that only experts may see."""

    def camera(self, name: str) -> CameraSpec | None:
        """The camera of that name, if there is one."""
        return next((c for c in self.cameras if c.name == name), None)


@dataclass(frozen=True)
class CameraRequest:
    """A camera a policy wants, and how its training data showed it."""

    name: str
    height: int | None = None
    width: int | None = None
    flip: Flip = "none"
    colour: Literal["rgb", "bgr"] = "rgb"


@dataclass(frozen=True)
class ObservationRequest:
    """What to render and read for one observation. An empty request costs no render."""

    cameras: tuple[CameraRequest, ...] = ()
    proprio: bool = False
    privileged: bool = False
    offsets: tuple[int, ...] = (0,)
    """Steps, relative to the query, at which frames are wanted, oldest first, ending with 0."""


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
    """Default execution of a chunk: `chunk`, `half`, `first`, a number, or `ensemble`."""
    batch_invariant: bool = True
    """An action does not depend, bit for bit, on what else is in the batch."""
    privileged: bool = False
    """The policy reads simulator state; its numbers are upper bounds, not results."""
    training_split: str = "none"
    checkpoint: str = ""
    """Hash of the weights; part of the run's identity."""
