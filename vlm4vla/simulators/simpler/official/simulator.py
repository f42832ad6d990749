"""Upstream's SimplerEnv behind the simulator contract."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import ResetNeeded, SimulatorFault
from vlm4vla.core.simulator import Floats, Observation, Progress
from vlm4vla.core.specs import ObservationRequest
from vlm4vla.simulators.simpler.official.calls import (
    bridge_call,
    dropped_at,
    google_call,
    google_setup,
)
from vlm4vla.simulators.simpler.official.files import assembled, checkouts
from vlm4vla.simulators.simpler.official.options import OfficialOptions
from vlm4vla.simulators.simpler.official.upstream import Upstream

_LIFTS = "n_lift_significant"


@dataclass
class _Running:
    """One episode under way."""

    episode: Episode
    environment: Any
    actions: list[Floats]
    told_at: int | None = None
    """After how many actions the policy declared its first instruction done."""
    instructed_at: int | None = None
    """After how many the second instruction held."""
    instruction: str = ""


class OfficialSimulator:
    """Plays episodes one after the other, each in an environment of its own, as upstream does."""

    def __init__(self, options: OfficialOptions) -> None:
        """Import upstream. Raises MissingAsset."""
        self._options = options
        self._google = options.robot == "google"
        self._tree = assembled(options)
        self._upstream = Upstream(self._tree, checkouts())
        self._now: _Running | None = None

    def reset(self, episode: Episode) -> None:
        """The episode's initial state. SimulatorFault where upstream takes it for another one."""
        self._now = None
        gc.collect()  # upstream's objects point at each other
        now = _Running(episode, self._environment(episode), [])
        now.instruction = now.environment.get_language_instruction()
        if now.instruction != episode.instruction:
            raise SimulatorFault(
                f"Upstream says '{now.instruction}' of {episode.key}, not '{episode.instruction}'."
            )
        expected, places = dropped_at(episode), now.environment.__dict__.get("obj_init_options", {})
        if len(expected) and not np.allclose(places["init_xys"], expected, atol=1e-6):
            raise SimulatorFault(f"Upstream has no {episode.key}: it plays its own grid alone.")
        self._now = now

    def advance(self, action: Floats) -> Progress:
        """One control step; the episode is cut off after its `max_steps`, whatever happened."""
        now = self._running()
        if len(now.actions) >= now.episode.max_steps:
            raise ResetNeeded("The episode has ended; call reset.")
        now.actions.append(np.array(action, np.float64))
        _, _, done, _, info = _step(now, len(now.actions) - 1)
        before, now.instruction = now.instruction, now.environment.get_language_instruction()
        changed = now.instruction != before
        if changed:
            now.instructed_at = len(now.actions) - 1
        stages, measures = _reported(info["episode_stats"])
        if self._google:
            setup = google_setup(now.episode)
            measures |= setup.measures(bool(done), now.instructed_at)
        return Progress(
            success=bool(done),
            truncated=len(now.actions) >= now.episode.max_steps,
            stages=stages,
            measures=measures,
            instruction_changed=changed,
        )

    def move_on(self) -> None:
        """The policy says that it has carried out its instruction."""
        now = self._running()
        if now.told_at is None:
            now.told_at = len(now.actions)

    def observe(self, request: ObservationRequest) -> Observation:
        """Draw and read what is asked for; the physics is not touched."""
        now = self._running()
        images = {}
        if request.cameras:  # the policy's camera, in its own size
            self._see(now)
            name = self._call(now.episode).camera
            images = {name: self._upstream.picture(now.environment, name)[None]}
        return Observation(
            instruction=now.instruction,
            step=len(now.actions),
            images=images,
            proprio=self._proprio(now.environment) if request.proprio else None,
            privileged=_privileged(now.environment) if request.privileged else {},
        )

    def close(self) -> None:
        """Drop the environment, and the tree that upstream ran from."""
        self._now = None
        shutil.rmtree(self._tree, ignore_errors=True)

    def _call(self, episode: Episode) -> Any:
        return google_call(episode) if self._google else bridge_call(episode)

    def _environment(self, episode: Episode) -> Any:
        return self._upstream.environment(self._call(episode), self._options.shader)

    def _see(self, now: _Running) -> None:
        """At the first picture of all, play the episode again, in an environment that can draw."""
        if self._upstream.sees:
            return
        self._upstream.open_eyes()
        now.environment = None
        gc.collect()
        now.environment = self._environment(now.episode)
        for index in range(len(now.actions)):
            _step(now, index)

    def _proprio(self, environment: Any) -> Floats:
        """Hand in the base frame (7), arm, and the opening as the re-hosts state it (1)."""
        robot, qpos = environment.agent.robot, environment.agent.robot.get_qpos()
        hand = _numbers(robot.pose.inv() * environment.tcp.pose)
        if self._google:
            return np.concatenate([hand, qpos[:7], [qpos[7:9].mean()]])
        return np.concatenate([hand, qpos[:6], [qpos[6:].sum()]])

    def _running(self) -> _Running:
        if self._now is None:
            raise ResetNeeded("The episode has not begun; call reset.")
        return self._now


def _step(now: _Running, index: int) -> Any:
    """Upstream's step with the action of that number; before it, a policy's word is passed on."""
    environment = now.environment
    if now.told_at is not None and now.told_at <= index and not environment.is_final_subtask():
        environment.advance_to_next_subtask()
    return environment.step(now.actions[index])


def _reported(stats: Mapping[str, Any]) -> tuple[dict[str, bool], dict[str, float | None]]:
    """Upstream's `episode_stats`: what is true or false, and its numbers."""
    stages: dict[str, bool] = {}
    measures: dict[str, float | None] = {}
    for name, value in stats.items():
        if name == "qpos":
            measures[name] = float(value)  # upstream writes it with three digits
        elif name == _LIFTS:
            measures[name] = float(value)
            stages["lifted_significantly"] = value > 0
        else:
            stages[name] = bool(value)  # `has_contact` counts
    return stages, measures


def _things(environment: Any) -> list[Any]:
    if hasattr(environment, "episode_objs"):
        return list(environment.episode_objs)
    if hasattr(environment, "distractor_objs"):
        return [environment.obj, *environment.distractor_objs]
    return [environment.obj] if hasattr(environment, "obj") else []


def _privileged(environment: Any) -> dict[str, Floats]:
    """As `PRIVILEGED` says."""
    cabinet = getattr(environment, "art_obj", None)
    things = [_numbers(thing.pose) for thing in _things(environment)]
    return {
        "tcp": _numbers(environment.tcp.pose),
        "qpos": np.array(environment.agent.robot.get_qpos(), np.float64),
        "things": np.array(things, np.float64).reshape(-1, 7),
        "drawers": np.array([] if cabinet is None else cabinet.get_qpos(), np.float64),
    }


def _numbers(pose: Any) -> Floats:
    return np.concatenate([pose.p, pose.q]).astype(np.float64)
