"""What the frozen parts make of the demonstrations, kept so that they are asked only once.

From scratch they are random. Random features tell 450 pictures apart better than they tell what is
in them, so with them the demonstrations are learned by heart. What is left to learn from are the
mean colours of the cells, which stand beside the features everywhere in the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vlm4vla.demonstrations.samples import Chunks
from vlm4vla.models.reading import Inputs, Targets
from vlm4vla.models.vla import VLA
from vlm4vla.studies.emoji.decoder import LANDED
from vlm4vla.studies.emoji.landing import landings, wanted_maps
from vlm4vla.studies.emoji.network.backbone import MobileNetMiniLM
from vlm4vla.studies.emoji.network.mobilenet import Trunk
from vlm4vla.studies.emoji.path import hand_errors, reach_steps
from vlm4vla.training.batches import Batch, Meter, Share

_PICTURES = 16
"""Frames that the frozen parts see at once."""


@dataclass(frozen=True)
class Memory:
    """What the frozen parts make of every sample, and what is wanted there."""

    fine: Tensor
    """(N, 35, 2h, 2w) float16."""
    patches: Tensor
    """(N, h, w, 684) float16; (N, 2, h, w) once compared with the sentence."""
    sentences: Tensor
    """(N, 384)."""
    actions: Tensor
    """(N, chunk, 7)."""
    mask: Tensor
    """(N, chunk) bool."""
    landed: Tensor | None
    """(N, h, w): where in the picture the cube is put down, a map that sums to 1. From scratch
    only: an aligned comparison is not told where to look."""

    def batch(self, chosen: NDArray[np.int64], mask: Tensor | None = None) -> Batch:
        """Some samples; `mask` (N, chunk) in place of their own."""
        index = torch.from_numpy(chosen)
        inputs: Inputs = {"fine": self.fine[index].float()}
        more: Mapping[str, Tensor] = {}
        if self.landed is None:
            inputs["fit"] = self.patches[index].float()
        else:
            inputs["patches"] = self.patches[index].float()
            inputs["sentences"] = self.sentences[index]
            more = {LANDED: self.landed[index]}
        kept = (self.mask if mask is None else mask)[index]
        return Batch(inputs, Targets(self.actions[index], kept, (), more))


@torch.no_grad()
def remember(model: VLA, samples: Chunks, scratch: bool) -> Memory:
    """Show every sample to the frozen parts, once.

    From scratch the samples must be such as `landing.check_readable` lets pass.
    """
    backbone = model.backbone
    assert isinstance(backbone, MobileNetMiniLM)
    if scratch:
        settle(backbone, samples)
    backbone.eval()
    camera = model.config.cameras[0].name
    meant: dict[str, Tensor] = {}
    parts: list[tuple[Tensor, ...]] = []
    for start in range(0, len(samples), _PICTURES):
        some = [samples[i] for i in range(start, min(start + _PICTURES, len(samples)))]
        frames = torch.from_numpy(np.concatenate([sample.images[camera] for sample in some]))
        seen, near = backbone.features(frames)
        for text in {sample.instruction for sample in some} - set(meant):
            meant[text] = backbone.sentence(backbone.text.tokens([text]))[0]
        sentence = torch.stack([meant[sample.instruction] for sample in some])
        patches = near if scratch else backbone.align(near, sentence)
        actions = torch.from_numpy(np.stack([sample.actions for sample in some])).float()
        mask = torch.from_numpy(np.stack([sample.mask for sample in some]))
        parts.append((seen.half(), patches.half(), sentence, actions, mask))
    fine, patches, sentences, actions, mask = map(torch.cat, zip(*parts, strict=True))
    landed = None
    if scratch:
        backbone.align.middle.copy_(torch.stack([meant[text] for text in sorted(meant)]).mean(0))
        side = frames.shape[1]
        places = landings(model.config.action, actions, mask, side)
        landed = wanted_maps(places, backbone.centres(near, side), side)
    return Memory(fine, patches, sentences, actions, mask, landed)


@dataclass
class Remembered:
    """A `BatchSource` of what is remembered: one process, its own order of samples.

    The order is drawn by a queue, not by epochs, as it was when the published numbers were made.
    """

    samples: Chunks
    scratch: bool
    held_out: float
    """Share that is only measured on."""
    reach_until: float
    """The step before which actions are judged up to the first grasp only."""
    seed: int
    memory: Memory = field(init=False)

    def __len__(self) -> int:
        """Samples, with those that are only measured on."""
        return len(self.samples)

    def open(self, policy: VLA) -> None:
        """Show everything to the frozen parts."""
        self.memory = remember(policy, self.samples, self.scratch)
        if self.scratch:
            assert isinstance(policy.backbone, MobileNetMiniLM)
            colours_only(policy.backbone)

    def batches(self, policy: VLA, share: Share, steps: range) -> Iterator[Batch]:
        """See BatchSource; a continued training draws again what went before."""
        rng = np.random.default_rng(self.seed)
        _, used = self._split(rng)
        reaching = self.memory.mask & reach_steps(policy.config.action, self.memory.actions)
        queue: NDArray[np.int64] = np.zeros(0, np.int64)
        size = share.micro * share.accumulate
        for step in range(steps.stop):
            if len(queue) < size:
                queue = np.concatenate([queue, rng.permutation(used)])
            chosen, queue = queue[:size], queue[size:]
            if step in steps:
                mask = reaching if step < self.reach_until else None
                for part in np.split(chosen, share.accumulate):
                    yield self.memory.batch(part, mask)

    def measure(self, policy: VLA, share: Share, meter: Meter) -> Mapping[str, float]:
        """Losses and the hand's errors on demonstrations that are not trained on.

        The hand's errors on as many of those that are (`fitted`), to tell learning from learning by
        heart. Whole episodes, whatever the step.
        """
        measured, used = self._split(np.random.default_rng(self.seed))
        if not len(measured):
            return {}
        batch = self.memory.batch(measured)
        found = policy(batch.inputs, batch.targets)
        values = {f"held_out_{name}": float(value) for name, value in found.items()}
        for name, chosen in (("held_out", measured), ("fitted", used[: len(measured)])):
            batch = self.memory.batch(chosen)
            predicted = policy.decoder.decode(policy.states(batch.inputs), ())
            errors = hand_errors(
                policy.config.action, predicted, batch.targets.actions, batch.targets.mask
            )
            values |= {f"{name}_{error}": value for error, value in errors.items()}
        return values

    def _split(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Samples that are only measured on, and those that are trained on."""
        order = rng.permutation(len(self))
        held = int(len(self) * self.held_out)
        return order[:held], order[held:]


def settle(backbone: MobileNetMiniLM, samples: Chunks, count: int = 96) -> None:
    """Give the batch norms of a random trunk the statistics of the first demonstrations.

    Without them a random network's activations grow from layer to layer.
    """
    norms = [m for m in backbone.vision.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain mean over all batches
    backbone.vision.train()
    for start in range(0, min(count, len(samples)), 32):
        some = [samples[i].images for i in range(start, min(start + 32, len(samples)))]
        frames = np.concatenate([next(iter(images.values())) for images in some])
        backbone.features(torch.from_numpy(frames))
    for norm in norms:
        norm.momentum = 0.1


def colours_only(backbone: MobileNetMiniLM) -> None:
    """Take a random trunk's channels out of the search for places and out of the comparison.

    With them in the search, the cube was missed by 17 and 29 mm (x, y) on held-out demonstrations;
    by 5 and 7 mm without.
    """
    for weight, features in (
        (backbone.fusion.channels.weight, Trunk.FINE),
        (backbone.align.patch.weight, Trunk.COARSE),
    ):
        kept = (torch.arange(weight.shape[-1]) >= features).float()
        with torch.no_grad():
            weight.mul_(kept)
        weight.register_hook(lambda gradient, kept=kept: gradient * kept)  # type: ignore[no-untyped-call]
