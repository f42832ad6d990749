"""Episodes of the Bridge tasks played in this process: what their tests share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.policy import Session
from vlm4vla.core.simulator import Frames, Progress
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.simulators.simpler.bridge.expert import BridgeExpert
from vlm4vla.simulators.simpler.bridge.plugin import Bridge
from vlm4vla.simulators.simpler.bridge.simulator import BridgeSimulator
from vlm4vla.suites.suite import load

STATE = ObservationRequest(privileged=True)
PICTURE = ObservationRequest((CameraRequest("3rd_view_camera"),))


@dataclass
class Played:
    """What an episode came to."""

    progress: Progress = field(default_factory=Progress)
    steps: int = 0
    any_step: bool = False
    frames: list[Frames] = field(default_factory=list)


def episode(task: str, init: int = 0, suite: str = "simpler_bridge") -> Episode:
    return load(suite).narrowed([task], [init]).episodes[0]


def play(world: BridgeSimulator, start: Episode, pictures: int = 0) -> Played:
    """The expert's episode; a frame every so many steps, and one at the end."""
    expert, played = BridgeExpert(Bridge().describe({})), Played()
    session = Session(start.key)
    world.reset(start)
    while not played.progress.done:
        if pictures and played.steps % pictures == 0:
            played.frames.append(world.observe(PICTURE).image("3rd_view_camera"))
        seen = world.observe(STATE)
        action = expert.act([seen], [session])[0].actions[0]
        assert np.isfinite(action).all()
        played.progress = world.advance(action)
        played.any_step |= played.progress.success
        played.steps += 1
    if pictures:
        played.frames.append(world.observe(PICTURE).image("3rd_view_camera"))
    return played
