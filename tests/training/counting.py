"""The toy, noting every picture it draws in the file that TOY_RENDERS names."""

from __future__ import annotations

import os
import time
from pathlib import Path

from vlm4vla.core.simulator import Observation, Options, Simulator
from vlm4vla.core.specs import ObservationRequest
from vlm4vla.simulators.toy.plugin import Toy
from vlm4vla.simulators.toy.world import World

SUITE = """
name: counted
summary: The toy with its pictures counted
simulator: tests.training.counting:CountingToy
generator: vlm4vla.suites.toy:episodes
episodes: {count: COUNT}
"""


def suite(folder: Path, count: int = 3) -> Path:
    path = folder / "counted.yaml"
    path.write_text(SUITE.replace("COUNT", str(count)))
    return path


class CountingWorld(World):
    def observe(self, request: ObservationRequest) -> Observation:
        if request.cameras:
            time.sleep(float(os.environ.get("TOY_RENDER_S", "0")))
            with open(os.environ["TOY_RENDERS"], "a") as file:
                file.write(f"{self._running().key.task} {self._running().key.init} {self._steps}\n")
        return super().observe(request)


class CountingToy(Toy):
    name = "counted"

    def create(self, options: Options) -> Simulator:
        return CountingWorld()
