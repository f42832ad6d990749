"""Driving the real emoji simulator from tests; also a program, for runs in a fresh process."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.policy import Session
from vlm4vla.core.simulator import Progress
from vlm4vla.core.specs import CameraRequest, ObservationRequest, position
from vlm4vla.simulators.grinningface.expert import Expert
from vlm4vla.simulators.grinningface.plugin import GrinningFace
from vlm4vla.simulators.grinningface.simulator import GrinningFaceSimulator
from vlm4vla.suites.suite import load

EVERYTHING = ObservationRequest(
    (CameraRequest("view", 96, 96),), proprio=(position(),), privileged=True
)
STATE = ObservationRequest(proprio=(position(),), privileged=True)


@dataclass
class Rollout:
    progress: Progress
    actions: list[np.ndarray] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    """Of proprioception and every privileged array, before each action and at the end."""
    pictures: list[str] = field(default_factory=list)
    session: Session | None = None


def episode(robot: str, suite: str = "val", init: int = 0) -> Episode:
    return load(f"grinningface_{suite}", overrides={"robot": robot}).episodes[init]


def simulator(robot: str, **options: str) -> GrinningFaceSimulator:
    made = GrinningFace().create({"robot": robot, **options})
    assert isinstance(made, GrinningFaceSimulator)
    return made


def rollout(
    world: GrinningFaceSimulator,
    start: Episode,
    robot: str,
    policy: type[Expert] = Expert,
    pictures: int = 0,
    **options: str,
) -> Rollout:
    """The episode under a scripted policy, drawn at every so-manieth step; 0: never."""
    expert, session = (
        policy(GrinningFace().describe({"robot": robot, **options})),
        Session(start.key),
    )
    expert.reset([session])
    world.reset(start)
    result = Rollout(Progress(), session=session)
    while True:
        drawn = pictures and len(result.actions) % pictures == 0
        seen = world.observe(EVERYTHING if drawn else STATE)
        arrays = [seen.proprio, *seen.privileged.values()]
        result.digests.append(_digest(*(np.asarray(a) for a in arrays)))
        if drawn:
            result.pictures.append(_digest(seen.image("view")))
        if result.progress.done:
            return result
        action = expert.act([seen], [session])[0].actions[0]
        result.actions.append(action)
        result.progress = world.advance(action)


def _digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()[:16]


if __name__ == "__main__":
    robot, init, pictures = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    alone = rollout(simulator(robot), episode(robot, init=init), robot, pictures=pictures)
    print(alone.progress.success, *alone.digests, *alone.pictures)
