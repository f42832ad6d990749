"""Which samples make step number s, for every s: a pure function of the seed.

So a training continues by counting on, whatever was killed; and two processes see between them
exactly what one would see alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from vlm4vla.core.simulator import Frames
from vlm4vla.demonstrations.samples import Sample, Samples
from vlm4vla.models import images as pictures
from vlm4vla.models.reading import Inputs, Targets
from vlm4vla.models.vla import VLA
from vlm4vla.training.augment import Augmenter

_HELD_OUT = 512
"""Most samples that a held-out loss is measured on."""


@dataclass(frozen=True)
class Share:
    """What one process takes of every step."""

    rank: int
    processes: int
    micro: int
    """Samples at once."""
    accumulate: int
    """Micro-batches a step."""

    def positions(self, step: int) -> Iterator[list[int]]:
        """Per micro-batch, the places of its samples in the endless sequence of all epochs."""
        for part in range(self.accumulate):
            start = (step * self.accumulate + part) * self.processes + self.rank
            yield list(range(start * self.micro, (start + 1) * self.micro))


@dataclass(frozen=True)
class Batch:
    """A micro-batch."""

    inputs: Inputs
    targets: Targets

    def __len__(self) -> int:
        """Samples."""
        return len(self.targets.actions)

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        inputs = {n: tensor.to(device, non_blocking=True) for n, tensor in self.inputs.items()}
        return Batch(inputs, self.targets.to(device))


Meter = Callable[[Iterable[Batch]], Mapping[str, float]]
"""Mean losses over batches and over all processes, as `held_out_NAME`."""


class BatchSource(Protocol):
    """Where a training's batches come from, and in which order."""

    def __len__(self) -> int:
        """Samples in an epoch."""

    def open(self, policy: VLA) -> None:
        """Whatever needs the network, once, before its optimiser is made."""

    def batches(self, policy: VLA, share: Share, steps: range) -> Iterator[Batch]:
        """`share.accumulate` micro-batches for each of `steps`, in order, on the CPU."""

    def measure(self, policy: VLA, share: Share, meter: Meter) -> Mapping[str, float]:
        """Numbers on what is not trained on; the policy is in evaluation mode meanwhile."""


@dataclass(frozen=True)
class Shuffled:
    """Samples by number, each epoch in an order of its own."""

    samples: Samples
    apart: Samples | None
    """What is not trained on."""
    augmenter: Augmenter
    seed: int
    workers: int = 0
    """Processes that read, decode, augment and tokenise; here if 0."""

    def __len__(self) -> int:
        """Samples that are trained on."""
        return len(self.samples)

    def open(self, policy: VLA) -> None:
        """Nothing is asked of the network."""

    def batches(self, policy: VLA, share: Share, steps: range) -> Iterator[Batch]:
        """See BatchSource."""
        yield from DataLoader(
            _Endless(self.samples, self.augmenter, policy.config.image_size, self.seed),
            # Made when its turn comes: an epoch can have millions.
            batch_sampler=chain.from_iterable(map(share.positions, steps)),
            num_workers=self.workers,
            # It holds the model, whose memory a fork shares and a spawn would copy.
            collate_fn=partial(_collated, policy),
            multiprocessing_context="fork" if self.workers else None,
        )

    def measure(self, policy: VLA, share: Share, meter: Meter) -> Mapping[str, float]:
        """Of `apart`, evenly spread, seen as evaluation sees it."""
        return {} if self.apart is None else meter(_held_out(self.apart, policy, share))


@dataclass(frozen=True)
class _Endless(Dataset[Sample]):
    """The samples by place in the sequence of epochs, varied and brought to one size."""

    samples: Samples
    augmenter: Augmenter
    side: int
    seed: int

    def __getitem__(self, position: int) -> Sample:
        epoch, place = divmod(position, len(self.samples))
        sample = self.samples[int(_order(self.seed, epoch, len(self.samples))[place])]
        varied = {
            name: np.stack([self._varied(position, camera, frame) for frame in frames])
            for camera, (name, frames) in enumerate(sample.images.items())
        }
        return _squared(replace(sample, images=varied), self.side, 1.0)

    def _varied(self, position: int, camera: int, frame: Frames) -> Frames:
        """All frames of a camera vary alike: a history must not jump."""
        # (seed, 1, position) shares no stream with the orders' (seed, 0, epoch).
        lot = (self.seed, 1, position, camera) if camera else (self.seed, 1, position)
        return self.augmenter.apply(frame, np.random.default_rng(lot))


def _squared(sample: Sample, side: int, area: float) -> Sample:
    """The middle `area` of all its frames, brought to side x side."""
    images = {name: pictures.squares(seen, side, area) for name, seen in sample.images.items()}
    return replace(sample, images=images)


def _collated(model: VLA, samples: Sequence[Sample]) -> Batch:
    proprio = [sample.proprio for sample in samples if sample.proprio is not None]
    answers = [sample.answer for sample in samples]
    return Batch(
        model.prepare(
            np.stack([np.stack([*sample.images.values()], 1) for sample in samples]),
            [sample.instruction for sample in samples],
            np.stack(proprio) if proprio else None,
        ),
        Targets(
            torch.from_numpy(np.stack([sample.actions for sample in samples])),
            torch.from_numpy(np.stack([sample.mask for sample in samples])),
            answers if any(answers) else (),
        ),
    )


def _held_out(samples: Samples, model: VLA, share: Share) -> Iterator[Batch]:
    """This process's part."""
    places = np.linspace(0, len(samples) - 1, min(_HELD_OUT, len(samples))).round().astype(int)
    mine = places[share.rank :: share.processes]
    config = model.config
    for first in range(0, len(mine), share.micro):
        found = [samples[int(place)] for place in mine[first : first + share.micro]]
        yield _collated(model, [_squared(s, config.image_size, config.centre_crop) for s in found])


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, size: int) -> NDArray[np.int64]:
    """The samples' order in that epoch."""
    return np.random.default_rng((seed, 0, epoch)).permutation(size)
