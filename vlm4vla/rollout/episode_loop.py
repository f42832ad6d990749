"""One episode from reset to result: the loop that every number here comes from.

The simulator is observed when the policy is to be asked, when one of its frame offsets falls on a
step, or when a video frame is due, and at no other time.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from vlm4vla.core.convert import action_converter, orient
from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import EpisodeError, ErrorKind
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.result import EpisodeResult, Outcome, Timing
from vlm4vla.core.simulator import Floats, Frames, Observation, Progress, Simulator
from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec, SimulatorSpec
from vlm4vla.rollout.execution import Execution, Executor
from vlm4vla.rollout.policy_client import PolicyConnection
from vlm4vla.rollout.video import VideoWriter

VideoMode = Literal["none", "queries", "all"]
Beat = Callable[[Literal["simulate", "policy"]], None]


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
        self._history = _History(self.config.policy.request)
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
        observation = self._observe(self.config.policy.request)
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
        if self._history.wants(step, step + self._executor.remaining):
            request = self.config.policy.request
            self._history.add(step, self._observe(ObservationRequest(request.cameras)))
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
        shown = next((c for c in self.config.policy.request.cameras if c.name == name), None)
        same = shown is not None and shown.height is None and shown.width is None
        self._film(observation if same else self._observe(request))

    def _film(self, observation: Observation) -> None:
        assert self.video is not None
        self.video.add(next(iter(observation.images.values()))[-1])


class _History:
    """The frames a policy with frame offsets will want, oriented as it declared."""

    def __init__(self, request: ObservationRequest) -> None:
        self._request = request
        self._span = -request.offsets[0]
        self._frames: dict[str, list[tuple[int, Frames]]] = {c.name: [] for c in request.cameras}

    def wants(self, step: int, next_query: int) -> bool:
        """Whether the query at `next_query` shows the frame of `step`."""
        return bool(self._request.cameras) and step - next_query in self._request.offsets

    def add(self, step: int, observation: Observation) -> None:
        for camera in self._request.cameras:
            frames = self._frames[camera.name]
            frames.append((step, orient(observation.images[camera.name][-1], camera)))
            while frames and frames[0][0] < step - self._span and len(frames) > 1:
                frames.pop(0)

    def complete(self, step: int, observation: Observation) -> Observation:
        """The observation with one frame per offset; missing ones are the nearest earlier kept."""
        images = {
            name: _stacked([_frame_at(frames, step + o) for o in self._request.offsets])
            for name, frames in self._frames.items()
        }
        return Observation(
            observation.instruction, step, images, observation.proprio, observation.privileged
        )


def _stacked(frames: list[Frames]) -> Frames:
    """(T, H, W, 3); a single frame, the common case, is not copied."""
    return frames[0][None] if len(frames) == 1 else np.stack(frames)


def _frame_at(frames: list[tuple[int, Frames]], step: int) -> Frames:
    """The newest frame not after `step`, or the oldest there is (before the first step)."""
    earlier = [frame for taken, frame in frames if taken <= step]
    return earlier[-1] if earlier else frames[0][1]


def _video_request(config: LoopConfig) -> ObservationRequest:
    """The simulator's first camera, as it is."""
    return ObservationRequest((CameraRequest(config.simulator.observation.cameras[0].name),))
