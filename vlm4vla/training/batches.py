"""Which samples make step number s, for every s: a pure function of the seed.

So a training continues by counting on, whatever was killed; and two processes see between them
exactly what one would see alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vlm4vla.core.simulator import Frames
from vlm4vla.demonstrations.samples import Chunks, Sample
from vlm4vla.models import images as pictures
from vlm4vla.models.backbone import Inputs
from vlm4vla.models.vla import VLA
from vlm4vla.training.augment import Augmenter


@dataclass(frozen=True)
class Share:
    """What one process takes of every step."""

    rank: int
    processes: int
    micro: int
    """Samples at once."""
    accumulate: int
    """Micro-batches a step."""

    @classmethod
    def of(cls, batch: int, micro: int, rank: int, processes: int) -> Share:
        """`batch` must divide into `processes` times `micro`."""
        return cls(rank, processes, micro, batch // (micro * processes))

    def positions(self, step: int) -> Iterator[list[int]]:
        """Per micro-batch, the places of its samples in the endless sequence of all epochs."""
        for part in range(self.accumulate):
            start = (step * self.accumulate + part) * self.processes + self.rank
            yield list(range(start * self.micro, (start + 1) * self.micro))


@dataclass(frozen=True)
class Batch:
    """A micro-batch on the CPU."""

    inputs: Inputs
    actions: Tensor
    """(B, chunk, 7) float32."""
    mask: Tensor
    """(B, chunk) bool."""


@dataclass(frozen=True)
class _Item:
    image: Frames
    instruction: str
    actions: NDArray[np.float32]
    mask: NDArray[np.bool_]


class _Endless(Dataset[_Item]):
    """The samples by place in the sequence of epochs, each epoch in an order of its own."""

    def __init__(self, samples: Chunks, augmenter: Augmenter, side: int, seed: int) -> None:
        self._samples, self._augmenter, self._side, self._seed = samples, augmenter, side, seed

    def __getitem__(self, position: int) -> _Item:
        epoch, place = divmod(position, len(self._samples))
        index = int(_order(self._seed, epoch, len(self._samples))[place])
        sample = self._samples[index]
        frame = next(iter(sample.images.values()))
        if not self._augmenter.idle:
            # (seed, 1, position) shares no stream with the orders' (seed, 0, epoch).
            frame = self._augmenter.apply(frame, np.random.default_rng((self._seed, 1, position)))
        return _item(sample, frame, self._side, 1.0)


def _item(sample: Sample, frame: Frames, side: int, area: float) -> _Item:
    square = pictures.square(torch.from_numpy(np.array(frame))[None], side, area)
    return _Item(square[0].numpy(), sample.instruction, sample.actions, sample.mask)


def _collated(model: VLA, items: Sequence[_Item]) -> Batch:
    images = np.stack([item.image for item in items])
    return Batch(
        model.prepare(images, [item.instruction for item in items]),
        torch.from_numpy(np.stack([item.actions for item in items])),
        torch.from_numpy(np.stack([item.mask for item in items])),
    )


def held_out(samples: Chunks, model: VLA, share: Share, most: int) -> Iterator[Batch]:
    """This process's part of `most` samples, evenly spread, seen as evaluation sees them."""
    places = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    mine = places[share.rank :: share.processes]
    config = model.config
    for first in range(0, len(mine), share.micro):
        found = [samples[int(place)] for place in mine[first : first + share.micro]]
        yield _collated(
            model,
            [
                _item(s, next(iter(s.images.values())), config.image_size, config.centre_crop)
                for s in found
            ],
        )


@dataclass(frozen=True)
class _Positions:
    """Every micro-batch of these steps, made when its turn comes: an epoch can have millions."""

    share: Share
    steps: range

    def __iter__(self) -> Iterator[list[int]]:
        return (part for step in self.steps for part in self.share.positions(step))


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, size: int) -> NDArray[np.int64]:
    """The samples' order in that epoch."""
    return np.random.default_rng((seed, 0, epoch)).permutation(size)


def batches(
    samples: Chunks,
    augmenter: Augmenter,
    model: VLA,
    share: Share,
    steps: range,
    seed: int,
    workers: int,
) -> Iterator[Batch]:
    """`share.accumulate` micro-batches for each of `steps`, in order.

    Reading, decoding, augmenting and tokenising happen in `workers` processes, or here if 0.
    """
    loader = DataLoader(
        _Endless(samples, augmenter, model.config.image_size, seed),
        batch_sampler=_Positions(share, steps),
        num_workers=workers,
        # It holds the model, whose memory a fork shares and a spawn would copy.
        collate_fn=partial(_collated, model),
        multiprocessing_context="fork" if workers else None,
    )
    yield from loader
