"""What training sees: pictures, an instruction, and the actions that followed.

Readers turn a layout on disk into `Demonstrations`; `Chunks` turns those into samples. All readers
share the rules here, so a convention or an end of an episode cannot mean two things.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core.convert import Converter, action_converter, orient, proprio_converter
from vlm4vla.core.errors import BadInput, OutOfRange, SpecMismatch, UnknownName
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.core.specs import ActionSpec, CameraRequest, Flip, ProprioPart

Tail = Literal["zeros", "repeat"]


@dataclass(frozen=True, eq=False)
class Trajectory(ABC):
    """A recorded episode, or a stretch of one under one instruction; read when asked."""

    text: str
    length: int
    """Actions in it."""
    pictured: Sequence[int]
    """Steps that have pictures, ascending."""

    def instruction(self, step: int) -> str:
        """The words in force at `step`."""
        return self.text

    @abstractmethod
    def actions(self, start: int, stop: int) -> Floats:
        """(stop - start, A) as stored; 0 <= start < stop <= length."""

    @abstractmethod
    def image(self, step: int, camera: str) -> Frames:
        """(H, W, 3) uint8 RGB, upright, of a pictured step."""

    def proprio(self, step: int) -> Floats:
        """(P,) of a pictured step, where the set holds it: its `proprio`, in that order."""
        return np.empty(0)


@dataclass(frozen=True)
class Demonstrations:
    """Everything a folder holds, under one convention."""

    name: str
    action: ActionSpec
    """The convention of the stored actions."""
    cameras: tuple[str, ...]
    trajectories: Sequence[Trajectory]
    tail: Tail = "zeros"
    """How the published pipeline of this layout fills a chunk beyond the end of an episode: with
    zeros (RLDS: Bridge, Fractal, LIBERO) or with the last action (CALVIN). Masked in either case,
    VLM4VLA section 4."""
    flip: Flip = "none"
    """How published policies of this layout see its frames, relative to upright."""
    recipe: str = ""
    """The training recipe made for such data, where there is one."""
    robot: str = ""
    """The robot they were recorded on, by the name in the files; empty where these say nothing."""
    proprio: tuple[ProprioPart, ...] = ()
    """The parts of the stored proprioception; none where nobody says what its numbers mean."""


@dataclass(frozen=True)
class Sample:
    """One training example."""

    images: Mapping[str, Frames]
    """Camera -> (T, H, W, 3) uint8 RGB, a frame for each offset, the present last; oriented as the
    policy will see them."""
    instruction: str
    actions: NDArray[np.float32]
    """(chunk, 7): translation, rotation, gripper as the convention says; not normalised."""
    mask: NDArray[np.bool_]
    """(chunk,): False beyond the end of the episode, and everywhere in a sample of text."""
    proprio: NDArray[np.float32] | None = None
    """(T, P), at the offsets of the frames, where it is wanted."""
    answer: str = ""
    """What a sample of text answers to the instruction; such a sample has no actions."""


class Samples(Protocol):
    """Anything that training can be fed from, by number."""

    def __len__(self) -> int:
        """How many samples there are."""

    def __getitem__(self, index: int) -> Sample:
        """Sample number `index`, the same at every time of asking."""


def target_spec(spec: ActionSpec) -> ActionSpec:
    """The convention of a sample's actions: the stored one, in seven numbers.

    Raises SpecMismatch where there is no such thing.
    """
    if spec.gripper is None:
        raise SpecMismatch(
            "These actions have no gripper; the policy head has one.",
            "Train on data whose actions are translation, rotation and gripper.",
        )
    if spec.rotation in ("euler_xyz", "euler_XYZ", "rotvec"):
        return spec
    return replace(spec, rotation="euler_xyz", rotation_scale=(1.0, 1.0, 1.0))


class Chunks:
    """Samples of one or several sets, by number. Reads files when asked, keeps none open."""

    def __init__(
        self,
        sets: Sequence[Demonstrations],
        chunk: int,
        cameras: Sequence[CameraRequest],
        tail: Tail | None = None,
        offsets: Sequence[int] = (0,),
        proprio: Sequence[ProprioPart] = (),
    ) -> None:
        """Read nothing yet.

        Args:
            sets: the first one's convention is the samples'.
            chunk: actions a sample.
            cameras: which pictures, and how they are seen.
            tail: what fills a chunk beyond the end; as each set's own pipeline does it if None.
            offsets: steps, relative to a sample's, whose frames it shows; ascending to 0. Before an
                episode's first step stands its first frame, as in evaluation.
            proprio: which parts of the proprioception, and how they are written.

        Raises BadInput where a set lacks a camera or a part, or speaks a convention that does not
        convert.
        """
        if chunk < 1:
            raise OutOfRange(f"A chunk of {chunk} actions is none.")
        self.target = target_spec(sets[0].action)
        self.cameras = tuple(cameras)
        self._chunk, self._offsets, self._proprio = chunk, tuple(offsets), tuple(proprio)
        self._sources: list[_Source] = []
        for each in sets:
            for camera in cameras:
                if camera.name not in each.cameras:
                    raise UnknownName(f"camera in {each.name}", camera.name, each.cameras)
            convert = action_converter(each.action, self.target)
            try:
                told = proprio_converter(each.proprio, self._proprio)
            except SpecMismatch as error:
                raise SpecMismatch(f"{each.name}: {error.message}", error.fix) from error
            self._sources += [
                _Source(t, convert, told, tail or each.tail, self._steps(t))
                for t in each.trajectories
            ]
        self._begins = np.cumsum([0, *(len(source.steps) for source in self._sources)])
        if not len(self):
            raise BadInput(
                f"{', '.join(each.name for each in sets)}: no step has pictures at "
                f"{', '.join(map(str, self._offsets))}.",
                "Record every step: bench demos ... --frames all",
            )

    def _steps(self, trajectory: Trajectory) -> Sequence[int]:
        """Steps that make a sample: all their frames are there."""
        if self._offsets == (0,):
            return trajectory.pictured
        there = set(trajectory.pictured)
        return [s for s in trajectory.pictured if there.issuperset(self._shown(s))]

    def _shown(self, step: int) -> list[int]:
        return [max(0, step + offset) for offset in self._offsets]

    def __len__(self) -> int:
        """How many samples there are."""
        return int(self._begins[-1])

    def __getitem__(self, index: int) -> Sample:
        """Sample number `index`."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        place = int(np.searchsorted(self._begins, index, "right")) - 1
        source = self._sources[place]
        trajectory = source.trajectory
        step = source.steps[index - int(self._begins[place])]
        stop = min(step + self._chunk, trajectory.length)
        actions = source.convert(trajectory.actions(step, stop))
        missing = self._chunk - len(actions)
        if missing:
            padding = np.zeros((1, 7)) if source.tail == "zeros" else actions[-1:]
            actions = np.concatenate([actions, np.repeat(padding, missing, 0)])
        return Sample(
            images={
                camera.name: np.stack(
                    [orient(trajectory.image(s, camera.name), camera) for s in self._shown(step)]
                )
                for camera in self.cameras
            },
            instruction=trajectory.instruction(step),
            actions=actions.astype(np.float32),
            mask=np.arange(self._chunk) < self._chunk - missing,
            proprio=self._told(source, step) if self._proprio else None,
        )

    def _told(self, source: _Source, step: int) -> NDArray[np.float32]:
        """(T, P): the wanted parts at a sample's offsets."""
        stored = np.stack([source.trajectory.proprio(s) for s in self._shown(step)])
        return source.told(stored).astype(np.float32)

    def all_actions(self) -> Floats:
        """(N, 7): every action of every trajectory once, in the samples' convention."""
        return np.concatenate(
            [s.convert(s.trajectory.actions(0, s.trajectory.length)) for s in self._sources]
        )


@dataclass(frozen=True)
class _Source:
    trajectory: Trajectory
    convert: Converter
    """Of the actions."""
    told: Converter
    """Of the proprioception."""
    tail: Tail
    steps: Sequence[int]
    """Those that make a sample, ascending."""
