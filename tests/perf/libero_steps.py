"""What a step of LIBERO costs: without pictures, with one a query, and with one or two a step.

    PYTHON_OF_LIBERO tests/perf/libero_steps.py .

Run in LIBERO's own Python (`bench env check libero` says where it is). LIBERO-10's first task, 256
pixels, drawn on the CPU; the same actions in each row, whose outcomes must be equal.
"""

from __future__ import annotations

import sys
import time

sys.path.insert(0, sys.argv[1])

import numpy as np

from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.simulators.libero import engine

engine.load("osmesa")

from vlm4vla.simulators.libero.options import LiberoOptions
from vlm4vla.simulators.libero.simulator import LiberoSimulator

TASK = "LIVING_ROOM_SCENE2_put_both_the_alphabet_soup_and_the_tomato_sauce_in_the_basket"
STEPS = 96
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (STEPS, 7))
CAMERAS = ("agentview", "eye_in_hand")


def main() -> None:
    """Print a row for each way of looking."""
    world = LiberoSimulator(LiberoOptions(renderer="osmesa"))
    setup = {"scene": "libero_10", "states": "libero_10"}
    episode = Episode(EpisodeKey("libero_10", TASK, 0), "do it", 520, setup)
    ends = set()
    for title, every, count in (
        ("no picture", STEPS + 1, 1), ("one camera every 8 steps", 8, 1),
        ("one camera every step", 1, 1), ("two cameras every step", 1, 2),
    ):  # fmt: skip
        request = ObservationRequest(tuple(map(CameraRequest, CAMERAS[:count])))
        began = time.process_time()
        world.reset(episode)
        if every <= STEPS:
            world.observe(request)  # opens the renderer
        ready = time.process_time()
        for step, action in enumerate(ACTIONS):
            if every <= STEPS and step % every == 0:
                world.observe(request)
            world.advance(action)
        spent = time.process_time() - ready
        ends.add(world._world.state.tobytes())
        print(f"{title:28} {STEPS / spent:6.1f} steps/CPU-s   reset {ready - began:.1f} CPU-s")
    assert len(ends) == 1, "outcomes differ"


if __name__ == "__main__":
    main()
