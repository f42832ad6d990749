"""Parts that ours do not have: a toy with two cameras, a formulation that sees two frames of both.

And a decoder that reads what no data set of ours holds: proprioception and answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vlm4vla.core.simulator import Observation, Options, Simulator
from vlm4vla.core.specs import CameraSpec, ObservationRequest, SimulatorSpec
from vlm4vla.demonstrations.samples import Sample
from vlm4vla.models.decoders.config import MLPConfig
from vlm4vla.models.decoders.mlp import MLPDecoder
from vlm4vla.models.formulations.config import FormulationConfig
from vlm4vla.models.formulations.formulation import Formulation
from vlm4vla.models.reading import States
from vlm4vla.simulators.toy.plugin import Toy
from vlm4vla.simulators.toy.world import World

SUITE = """
name: two_eyed
summary: The toy seen from two sides
simulator: tests.training.two_eyes:TwoEyedToy
generator: vlm4vla.suites.toy:episodes
episodes: {count: 2}
"""
RECIPE = """
summary: two frames of two cameras
decoder: {kind: mlp, chunk: 4}
formulation: {kind: "tests.training.two_eyes:ApartConfig", window: 2, stride: 3}
cameras: [top, side]
statistics: none
augment: shift
execution: half
stages: [{steps: 4, batch: 4, lr: 1.0e-3}]
"""


class TwoEyedWorld(World):
    def observe(self, request: ObservationRequest) -> Observation:
        sizes = {"top": 64, "side": 48}
        cameras = tuple(replace(c, height=sizes[c.name], width=sizes[c.name])
                        for c in request.cameras)  # fmt: skip
        seen = super().observe(replace(request, cameras=cameras))
        images = {n: f[..., ::-1] if n == "side" else f for n, f in seen.images.items()}
        return replace(seen, images=images)


class TwoEyedToy(Toy):
    name = "two_eyed"

    def describe(self, options: Options) -> SimulatorSpec:
        spec = super().describe(options)
        cameras = (CameraSpec("top", 64, 64), CameraSpec("side", 48, 48))
        return replace(spec, observation=replace(spec.observation, cameras=cameras))

    def create(self, options: Options) -> Simulator:
        return TwoEyedWorld()


@dataclass(frozen=True, kw_only=True)
class ApartConfig(FormulationConfig):
    """Every picture is read alone; the states stand side by side."""

    def pictures(self, cameras: int) -> int:
        return 1

    def build(self, hidden: int, cameras: int) -> Formulation:
        return Apart(hidden, self.window * cameras)


class Apart(Formulation):
    def __init__(self, hidden: int, pictures: int) -> None:
        super().__init__(hidden * pictures)
        self.pictures = pictures

    def sequences(self, images, instructions):
        assert images.shape[1] * images.shape[2] == self.pictures
        texts = [text for text in instructions for _ in range(self.pictures)]
        return images.reshape(-1, *images.shape[3:]), texts

    def states(self, reading, proprio):
        count = len(reading.queries) // self.pictures
        return States(reading.queries.float().reshape(count, 1, 1, self.width), proprio)


@dataclass(frozen=True, kw_only=True)
class ToldConfig(MLPConfig):
    """VLM4VLA's head, and the length of an answer; the hand's state joins the first query's."""

    kind: str = ""
    numbers: int = 3

    @property
    def needs(self):
        return replace(super().needs, queries=2)

    def build(self, width, conventions):
        return Told(self, width, conventions)


class Told(MLPDecoder):
    def __init__(self, config, width, conventions):
        super().__init__(width + config.numbers, conventions, config.chunk)
        self.length = nn.Linear(width, 1)

    def _joined(self, states):
        joined = torch.cat([states.last, states.proprio[:, -1]], -1)
        return replace(states, queries=joined[:, None, None])

    def loss(self, states, targets):
        found = super().loss(self._joined(states), targets)
        said = torch.tensor([len(answer) / 10 for answer in targets.answers])
        asked = said > 0
        off = (self.length(states.queries[:, -1, 1])[:, 0] - said).square()[asked]
        words = off.sum() / asked.sum().clamp(min=1)
        return {**found, "words": words, "loss": found["loss"] + words}

    def decode(self, states, sessions):
        return super().decode(self._joined(states), sessions)


class Mixed(Sequence):
    """Actions and answers in turn, each of which proprioception and words decide."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        text, state = index % 2, np.full((1, 3), index / 8, np.float32)
        return Sample(
            {"top": np.full((1, 16, 16, 3), 20 * index, np.uint8)},
            f"word{index}",
            np.full((2, 7), index / 16, np.float32),
            np.full(2, not text),
            state,
            "x" * index if text else "",
        )


def write(folder: Path) -> None:
    (folder / "two_eyed.yaml").write_text(SUITE)
    (folder / "recipe.yaml").write_text(RECIPE)
