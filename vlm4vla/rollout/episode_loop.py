"""One episode from reset to result: the loop that every number here comes from.

The simulator is observed when the policy is to be asked, when one of its frame offsets falls on a
step, or when a video frame is due, and at no other time.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from vlm4vla.core.convert import action_converter, orient, proprio_converter
from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import EpisodeError, ErrorKind
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.result import EpisodeResult, Outcome, Timing
from vlm4vla.core.simulator import Floats, Frames, Observation, Progress, Simulator
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
_Past = list[tuple[int, _Seen]]


@dataclass(frozen=True)
class LoopConfig:
    """What does not change from episode to episode."""

    simulator: SimulatorSpec
    policy: PolicySpec
    execution: Execution
    success: Literal["last", "any"] = "last"
    video: VideoMode = "none"


@dataclass
class _Clock:
    """Wall time by what it was spent on."""

    reset: float = 0.0
    simulate: float = 0.0
    render: float = 0.0
    policy: float = 0.0


@dataclass
class _Tally:
    """What has happened so far in the episode."""

    progress: Progress = field(default_factory=Progress)
    success_any: bool = False
    actions: list[Floats] = field(default_factory=list)
    query_steps: list[int] = field(default_factory=list)
    renders: int = 0


def run_episode(
    simulator: Simulator,
    episode: Episode,
    policy: PolicyConnection,
    config: LoopConfig,
    beat: Beat,
    video_path: Path | None = None,
) -> EpisodeResult:
    """Run one episode; whatever goes wrong in it becomes an error result, never an exception."""
    clock, tally = _Clock(), _Tally()
    error: tuple[ErrorKind, str] | None = None
    video = (
        VideoWriter(video_path, config.simulator.action.control_hz or 10) if video_path else None
    )
    try:
        _Rollout(simulator, episode, policy, config, beat, clock, tally, video).run()
    except EpisodeError as caught:
        error = caught.kind, str(caught)
    except Exception:
        # Simulators are other people's code and may raise anything; the run must go on.
        error = ErrorKind.SIMULATOR, traceback.format_exc()
    finally:
        if video is not None:
            video.close()
    success = tally.success_any if config.success == "any" else tally.progress.success
    outcome = Outcome.ERROR if error else Outcome.SUCCESS if success else Outcome.FAILURE
    return EpisodeResult(
        key=episode.key,
        outcome=outcome,
        instruction=episode.instruction,
        # Simulators compute with numpy, whose scalars neither compare nor print as Python's do.
        success_any=bool(tally.success_any),
        success_last=bool(tally.progress.success),
        stages={name: bool(reached) for name, reached in tally.progress.stages.items()},
        measures={
            name: None if value is None else float(value)
            for name, value in tally.progress.measures.items()
        },
        steps=len(tally.actions),
        query_steps=tuple(tally.query_steps),
        renders=tally.renders,
        timing=Timing(clock.reset, clock.simulate, clock.render, clock.policy),
        error=error[0] if error else None,
        error_text=error[1] if error else "",
        actions=np.array(tally.actions).reshape(len(tally.actions), config.simulator.action.size),
        video=str(video_path) if video_path else "",
    )


@dataclass
class _Rollout:
    simulator: Simulator
    episode: Episode
    policy: PolicyConnection
    config: LoopConfig
    beat: Beat
    clock: _Clock
    tally: _Tally
    video: VideoWriter | None

    def run(self) -> None:
        spec = self.config.simulator.action
        self._convert = action_converter(self.config.policy.action, spec)
        self._executor = Executor(self.config.execution, spec)
        self._history = _History(self.config.policy.request, self.config.simulator.observation)
        started = time.perf_counter()
        self.simulator.reset(self.episode)
        self.clock.reset = time.perf_counter() - started
        self.policy.reset(self.episode.key, True)
        progress, step = Progress(), 0
        while not progress.done and not self._executor.finished:
            if self._executor.remaining == 0:
                self._query(step)
            else:
                self._look(step)
            action = self._executor.next()
            self.beat("simulate")
            started = time.perf_counter()
            progress = self.simulator.advance(action)
            self.clock.simulate += time.perf_counter() - started
            step += 1
            self.tally.actions.append(action)
            self.tally.progress = progress
            self.tally.success_any |= progress.success
            if progress.instruction_changed and not progress.done:
                self._executor.reset()
                self.policy.reset(self.episode.key, False)
        if self.video is not None and self.config.video == "all":
            self._film(self._observe(_video_request(self.config)))

    def _query(self, step: int) -> None:
        """Observe, ask the policy, load its chunk."""
        observation = self._observe(self._history.query)
        self._history.add(step, observation)
        self.tally.query_steps.append(step)
        if self.video is not None:
            self._film_query(observation)
        started = time.perf_counter()
        self.beat("policy")
        chunk = self.policy.act(self._history.complete(step, observation))
        self.clock.policy += time.perf_counter() - started
        self._executor.load(ActionChunk(self._convert(chunk.actions), chunk.terminate_after))

    def _look(self, step: int) -> None:
        """Observe between queries only what a later query or the video will show."""
        wanted = self._history.wanted(step - (step + self._executor.remaining))
        if wanted is not None:
            self._history.add(step, self._observe(wanted))
        if self.video is not None and self.config.video == "all":
            self._film(self._observe(_video_request(self.config)))

    def _observe(self, request: ObservationRequest) -> Observation:
        started = time.perf_counter()
        observation = self.simulator.observe(request)
        self.clock.render += time.perf_counter() - started
        self.tally.renders += len(request.cameras)
        return observation

    def _film_query(self, observation: Observation) -> None:
        """Reuse the policy's own frame where its camera is the video's."""
        request = _video_request(self.config)
        name = request.cameras[0].name
        shown = next((c for c in self._history.query.cameras if c.name == name), None)
        same = shown is not None and shown.height is None and shown.width is None
        self._film(observation if same else self._observe(request))

    def _film(self, observation: Observation) -> None:
        assert self.video is not None
        shown = self.config.simulator.observation.cameras[0].name
        self.video.add(observation.images[shown][-1])


class _History:
    """What a policy wants to see of now and earlier, as it declared it."""

    def __init__(self, request: ObservationRequest, offered: ObservationSpec) -> None:
        self._cameras = [(c, _own_name(offered, c), request.offsets_of(c)) for c in request.cameras]
        self._proprio = proprio_converter(offered.proprio, request.proprio)
        self._proprio_offsets = request.proprio_offsets if request.proprio else ()
        self.query = replace(
            request, cameras=tuple(replace(c, name=own) for c, own, _ in self._cameras)
        )
        """The request in the simulator's own names."""
        self._frames: dict[str, _Past[Frames]] = {c.name: [] for c in request.cameras}
        self._states: _Past[Floats] = []

    def wanted(self, offset: int) -> ObservationRequest | None:
        """What a query sees of the step that lies at `offset` from it; None if nothing."""
        cameras = tuple(
            camera
            for camera, (_, _, offsets) in zip(self.query.cameras, self._cameras, strict=True)
            if offset in offsets
        )
        proprio = self.query.proprio if offset in self._proprio_offsets else ()
        return ObservationRequest(cameras, proprio) if cameras or proprio else None

    def add(self, step: int, observation: Observation) -> None:
        for camera, own, offsets in self._cameras:
            if own in observation.images:
                frame = orient(observation.images[own][-1], camera)
                _remember(self._frames[camera.name], step, frame, offsets[0])
        if observation.proprio is not None and self._proprio_offsets:
            state = self._proprio(observation.proprio)
            _remember(self._states, step, state, self._proprio_offsets[0])

    def complete(self, step: int, observation: Observation) -> Observation:
        """The observation at its offsets; a missing one is the nearest earlier kept."""
        images = {
            camera.name: _stacked([_at(self._frames[camera.name], step + o) for o in offsets])
            for camera, _, offsets in self._cameras
        }
        states = [_at(self._states, step + o) for o in self._proprio_offsets]
        proprio = None if not states else states[0] if len(states) == 1 else np.stack(states)
        return Observation(observation.instruction, step, images, proprio, observation.privileged)


def _own_name(offered: ObservationSpec, request: CameraRequest) -> str:
    camera = offered.camera(request.name)
    assert camera is not None  # convert.check has passed
    return camera.name


def _remember(past: _Past[_Seen], step: int, seen: _Seen, oldest: int) -> None:
    """Keep it, and forget what no later query can want."""
    past.append((step, seen))
    while past[0][0] < step + oldest and len(past) > 1:
        past.pop(0)


def _stacked(frames: list[Frames]) -> Frames:
    """(T, H, W, 3); a single frame, the common case, is not copied."""
    return frames[0][None] if len(frames) == 1 else np.stack(frames)


def _at(past: _Past[_Seen], step: int) -> _Seen:
    """The newest not after `step`, or the oldest there is (before the first step)."""
    earlier = [seen for taken, seen in past if taken <= step]
    return earlier[-1] if earlier else past[0][1]


def _video_request(config: LoopConfig) -> ObservationRequest:
    """The simulator's first camera, as it is."""
    return ObservationRequest((CameraRequest(config.simulator.observation.cameras[0].name),))
