"""One episode from reset to result: the loop that every number here comes from.

The simulator is observed when the policy is to be asked, when one of its frame offsets falls on a
step, or when a video frame is due, and at no other time.
"""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Literal, TypeVar

import numpy as np

from vlm4vla.core.convert import action_converter, orient, proprio_converter
from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import EpisodeError, ErrorKind
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.result import EpisodeResult, Outcome, Timing
from vlm4vla.core.simulator import (
    DrawsStates,
    Floats,
    Frames,
    MovesOn,
    Observation,
    Progress,
    Simulator,
)
from vlm4vla.core.specs import (
    CameraRequest,
    ObservationRequest,
    ObservationSpec,
    PolicySpec,
    SimulatorSpec,
)
from vlm4vla.rollout.execution import Execution, Executor
from vlm4vla.rollout.policy_client import PolicyConnection
from vlm4vla.rollout.video import VideoWriter

VideoMode = Literal["none", "queries", "all"]
Beat = Callable[[Literal["simulate", "policy"]], None]
_Seen = TypeVar("_Seen", Frames, Floats)


@dataclass(frozen=True)
class LoopConfig:
    """What does not change from episode to episode."""

    simulator: SimulatorSpec
    policy: PolicySpec
    execution: Execution
    success: Literal["last", "any"] = "last"
    video: VideoMode = "none"


def run_episode(
    simulator: Simulator,
    episode: Episode,
    policy: PolicyConnection,
    config: LoopConfig,
    beat: Beat,
    video_path: Path | None = None,
) -> EpisodeResult:
    """Run one episode; whatever goes wrong in it becomes an error result, never an exception."""
    fps = config.simulator.action.control_hz or 10
    video = VideoWriter(video_path, fps) if video_path else None
    rollout = _Rollout(simulator, episode, policy, config, beat, video)
    error: ErrorKind | None = None
    text = ""
    try:
        rollout.run()
    except EpisodeError as caught:
        error, text = caught.kind, str(caught)
    except Exception:
        # Simulators are other people's code and may raise anything; the run must go on.
        error, text = ErrorKind.SIMULATOR, traceback.format_exc()
    finally:
        if video is not None:
            video.close()
    progress, actions = rollout.progress, rollout.actions
    success = rollout.success_any if config.success == "any" else progress.success
    return EpisodeResult(
        key=episode.key,
        outcome=Outcome.ERROR if error else Outcome.SUCCESS if success else Outcome.FAILURE,
        instruction=episode.instruction,
        # Simulators compute with numpy, whose scalars neither compare nor print as Python's do.
        success_any=bool(rollout.success_any),
        success_last=bool(progress.success),
        stages={name: bool(reached) for name, reached in progress.stages.items()},
        measures={n: None if v is None else float(v) for n, v in progress.measures.items()},
        steps=len(actions),
        query_steps=tuple(rollout.query_steps),
        renders=rollout.renders,
        timing=Timing(**rollout.spent),
        error=error,
        error_text=text,
        actions=np.array(actions).reshape(len(actions), config.simulator.action.size),
        drawn=rollout.drawn,
        video=str(video_path) if video_path else "",
    )


@dataclass
class _Rollout:
    """One episode: who takes part in it, and what has happened so far."""

    simulator: Simulator
    episode: Episode
    policy: PolicyConnection
    config: LoopConfig
    beat: Beat
    video: VideoWriter | None
    progress: Progress = field(default_factory=Progress)
    success_any: bool = False
    actions: list[Floats] = field(default_factory=list)
    query_steps: list[int] = field(default_factory=list)
    renders: int = 0
    drawn: Floats = field(default_factory=lambda: np.zeros(0))
    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Wall time by what it was spent on, as `Timing` names it."""

    def run(self) -> None:
        spec = self.config.simulator.action
        self._convert = action_converter(self.config.policy.action, spec)
        self._executor = Executor(self.config.execution, spec)
        self._history = _History(self.config.policy.request, self.config.simulator.observation)
        started = time.perf_counter()
        self.simulator.reset(self.episode)
        self.spent["reset"] = time.perf_counter() - started
        if isinstance(self.simulator, DrawsStates):
            self.drawn = self.simulator.drawn
        self.policy.reset(self.episode.key, True)
        while not self.progress.done and not self._executor.finished:
            if self._executor.remaining == 0:
                self._query(len(self.actions))
            else:
                self._look(len(self.actions))
            action = self._executor.next()
            if self._executor.finished and isinstance(self.simulator, MovesOn):
                self.simulator.move_on()
            self.beat("simulate")
            started = time.perf_counter()
            progress = self.simulator.advance(action)
            self.spent["simulate"] += time.perf_counter() - started
            self.actions.append(action)
            self.progress = progress
            self.success_any |= progress.success
            if progress.instruction_changed and not progress.done:
                self._executor.reset()
                self.policy.reset(self.episode.key, False)
        self._film()

    def _query(self, step: int) -> None:
        """Observe, ask the policy, load its chunk."""
        observation = self._observe(self._history.query)
        self._history.add(step, observation)
        self.query_steps.append(step)
        self._film(observation)
        started = time.perf_counter()
        self.beat("policy")
        chunk = self.policy.act(self._history.complete(step, observation))
        self.spent["policy"] += time.perf_counter() - started
        self._executor.load(ActionChunk(self._convert(chunk.actions), chunk.terminate_after))

    def _look(self, step: int) -> None:
        """Observe between queries only what a later query or the video will show."""
        wanted = self._history.wanted(-self._executor.remaining)
        if wanted is not None:
            self._history.add(step, self._observe(wanted))
        self._film()

    def _observe(self, request: ObservationRequest) -> Observation:
        started = time.perf_counter()
        observation = self.simulator.observe(request)
        self.spent["render"] += time.perf_counter() - started
        self.renders += len(request.cameras)
        return observation

    def _film(self, seen: Observation | None = None) -> None:
        """Add the simulator's first camera to the video: of a query, or of every step.

        A query's own picture (`seen`) will do where it was taken as the camera is.
        """
        if self.video is None or (seen is None and self.config.video != "all"):
            return
        camera = CameraRequest(self.config.simulator.observation.cameras[0].name)
        asked = [(c.name, c.height, c.width) for c in self._history.query.cameras]
        if seen is None or (camera.name, None, None) not in asked:
            seen = self._observe(ObservationRequest((camera,)))
        self.video.add(seen.images[camera.name][-1])


class _History:
    """What a policy wants to see of now and earlier, as it declared it."""

    def __init__(self, request: ObservationRequest, offered: ObservationSpec) -> None:
        cameras = [(c, _own(offered, c), request.offsets_of(c)) for c in request.cameras]
        self.query = replace(request, cameras=tuple(own for _, own, _ in cameras))
        """The request in the simulator's own names."""
        self._cameras = [(asked, own, _Past[Frames](steps)) for asked, own, steps in cameras]
        self._proprio = proprio_converter(offered.proprio, request.proprio)
        self._states = _Past[Floats](request.proprio_offsets if request.proprio else ())

    def wanted(self, offset: int) -> ObservationRequest | None:
        """What a query sees of the step that lies at `offset` from it; None if nothing."""
        cameras = tuple(own for _, own, past in self._cameras if offset in past.offsets)
        proprio = self.query.proprio if offset in self._states.offsets else ()
        return ObservationRequest(cameras, proprio) if cameras or proprio else None

    def add(self, step: int, observation: Observation) -> None:
        for asked, own, past in self._cameras:
            if own.name in observation.images:
                past.add(step, orient(observation.images[own.name][-1], asked))
        if observation.proprio is not None and self._states.offsets:
            self._states.add(step, self._proprio(observation.proprio))

    def complete(self, step: int, observation: Observation) -> Observation:
        """The observation at its offsets; a missing one is the nearest earlier kept."""
        images = {}
        for asked, _, past in self._cameras:
            frames = past.of(step)  # a single one, the common case, is not copied
            images[asked.name] = frames[0][None] if len(frames) == 1 else np.stack(frames)
        states = self._states.of(step)
        proprio = None if not states else states[0] if len(states) == 1 else np.stack(states)
        return Observation(observation.instruction, step, images, proprio, observation.privileged)


def _own(offered: ObservationSpec, request: CameraRequest) -> CameraRequest:
    """The request in the simulator's own name for the camera."""
    camera = offered.camera(request.name)
    assert camera is not None  # convert.check has passed
    return replace(request, name=camera.name)


class _Past(Generic[_Seen]):
    """What one camera or the proprioception showed, as far back as a query can want it."""

    def __init__(self, offsets: Sequence[int]) -> None:
        self.offsets = offsets
        self._kept: list[tuple[int, _Seen]] = []

    def add(self, step: int, seen: _Seen) -> None:
        self._kept.append((step, seen))
        while self._kept[0][0] < step + self.offsets[0] and len(self._kept) > 1:
            self._kept.pop(0)

    def of(self, step: int) -> list[_Seen]:
        """At each offset from `step` the newest not after it, or the oldest there is."""
        found = []
        for offset in self.offsets:
            earlier = [seen for taken, seen in self._kept if taken <= step + offset]
            found.append(earlier[-1] if earlier else self._kept[0][1])
        return found
