"""What a step of SimplerEnv's costs: without pictures, with one a query, and with one a step.

    python tests/perf/simpler_steps.py

The Bridge tasks, 640x480 pixels, and the Google Robot's apple, 640x512, on the CPU; the same
actions in each row, whose outcomes must be equal. A step is 100 steps of physics, or 171.
The last line says what of a Bridge step is spent on cancelling gravity and Coriolis forces.
"""

from __future__ import annotations

import time

import numpy as np

from tests.simulators.bridge_task import PICTURE, STATE, episode
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.simulators.simpler.bridge.simulator import BridgeSimulator
from vlm4vla.simulators.simpler.google.simulator import GoogleSimulator
from vlm4vla.simulators.simpler.google.words import CAMERA
from vlm4vla.suites.suite import load

STEPS = 48
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (STEPS, 7)) * [0.01, 0.01, 0.01, 0.1, 0.1, 0.1, 1]


def main() -> None:
    """Print a row for each task and way of looking."""
    bridge, overhead = BridgeSimulator(), ObservationRequest((CameraRequest(CAMERA),))
    apple = load("simpler_google_vm").narrowed(["place_apple_in_drawer"], [0]).episodes[0]
    for task, world, begun, picture in (
        ("carrot", bridge, episode("carrot"), PICTURE),
        ("eggplant", bridge, episode("eggplant"), PICTURE),
        ("apple", GoogleSimulator(), apple, overhead),
    ):
        ends = set()
        for title, every in (("no picture", 0), ("one every 4 steps", 4), ("one every step", 1)):
            began = time.process_time()
            world.reset(begun)
            ready = time.process_time()
            if every:
                world.observe(picture)  # opens the renderer
            drawn = time.process_time()
            for step, action in enumerate(ACTIONS):
                if every and step % every == 0:
                    world.observe(picture)
                world.advance(action)
            spent = time.process_time() - drawn
            state = world.observe(STATE).privileged
            ends.add(b"".join(value.tobytes() for value in state.values()))
            print(
                f"{task:10} {title:20} {STEPS / spent:6.1f} steps/CPU-s   reset"
                f" {ready - began:.2f} CPU-s   first picture {drawn - ready:.2f} CPU-s"
            )
        assert len(ends) == 1, "outcomes differ"
    robot = bridge._running().robot.articulation  # type: ignore[attr-defined]
    began = time.process_time()
    for _ in range(1000):
        robot.set_qf(robot.compute_passive_force(gravity=True, coriolis_and_centrifugal=True))
    print(f"passive forces: {(time.process_time() - began) * 100:.2f} ms of a step's 100 substeps")


if __name__ == "__main__":
    main()
