"""Which pictures of an episode are worth rendering: cameras, size, and steps drawn by lot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.specs import CameraRequest, SimulatorSpec


@dataclass(frozen=True)
class FrameSelection:
    """What of each episode is rendered."""

    frames: int | None = 16
    """Steps of each episode, drawn by lot; None: every step."""
    cameras: tuple[str, ...] = ()
    """The simulator's first camera if empty."""
    size: int | None = None
    """Height and width in pixels; the camera's own if None."""
    failures: bool = False
    """Keep episodes without success too."""


def steps_to_draw(length: int, count: int | None, episode: Episode) -> tuple[int, ...]:
    """The steps of an episode of `length` actions that are rendered, ascending from 0.

    One step is drawn from each of `count` equal stretches, so that no phase of the motion is left
    out; the first is step 0, where every evaluation begins. The lot depends on the episode alone.
    """
    if count is None or count >= length:
        return tuple(range(length))
    rng = np.random.default_rng((*episode.key.entropy, count))
    edges = np.arange(count + 1) * length // count
    drawn = [int(rng.integers(low, high)) for low, high in pairwise(edges[1:])]
    return (0, *drawn)


def camera_requests(
    simulator: SimulatorSpec, selection: FrameSelection
) -> tuple[CameraRequest, ...]:
    """The cameras to render. Raises BadInput for one that is not there, or not of that size."""
    offered = {camera.name: camera for camera in simulator.observation.cameras}
    if not offered:
        raise BadInput(f"Simulator '{simulator.simulator}' has no camera.")
    requests = []
    for name in selection.cameras or list(offered)[:1]:
        if name not in offered:
            raise UnknownName(f"camera of '{simulator.simulator}'", name, offered)
        camera = offered[name]
        fixed = not camera.resizable and selection.size not in (None, camera.height)
        if fixed:
            raise OutOfRange(
                f"Camera '{name}' is fixed at {camera.height}x{camera.width}.", "Leave --size out."
            )
        requests.append(CameraRequest(name, selection.size, selection.size))
    return tuple(requests)
