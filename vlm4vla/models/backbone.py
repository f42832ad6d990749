"""The backbone contract: images and instructions in, one hidden state at the ActionQuery out.

To add a backbone, subclass `Backbone` (or `models.hub.HubBackbone` for a transformers model),
implement the abstract methods and register it, see `models.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vlm4vla.core import options
from vlm4vla.models.config import Part, Scalar, Setup

Inputs = dict[str, Tensor]
"""What `prepare` makes and `forward` reads; every tensor's first axis is the batch."""
Frames = NDArray[np.uint8]


class Backbone(nn.Module, ABC):
    """A vision-language model read out at one learnable token behind image and instruction."""

    hidden_size: int
    """Width of the hidden state, and of the ActionQuery."""
    lora_targets: ClassVar[str] = r".*"
    """Regular expression (full match) of the linear layers that LoRA adapts."""
    known_options: ClassVar[type | Mapping[str, Scalar]] = {}
    """`Setup.options` it takes: a dataclass (`core.options`), or their defaults by name."""
    options: object
    """What holds: one of that dataclass, or a mapping."""

    def __init__(self, setup: Setup) -> None:
        """Keep the wiring. Raises BadInput for an option or a value the class does not know."""
        super().__init__()
        known, owner = self.known_options, type(self).__name__
        options.check(known, setup.options, owner)
        self.setup = setup
        if isinstance(known, type):
            self.options = options.read(known, setup.options, owner)
        else:
            self.options = {**known, **setup.options}

    @classmethod
    @abstractmethod
    def load(
        cls,
        source: str | Path,
        setup: Setup,
        *,
        scratch: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """The pretrained model at `source`, a local folder or hub id; nothing is ever fetched.

        With `scratch`, its architecture and tokenizer with random weights (torch's global
        generator decides them). Raises MissingAsset if nothing usable is there, with the command
        that fetches it.
        """

    @abstractmethod
    def save(self, folder: Path, *, weights: bool = True) -> None:
        """Write what `load` reads; without `weights`, only what `load(scratch=True)` needs.

        LoRA adapters are left out: the checkpoint keeps them.
        """

    @abstractmethod
    def prepare(self, images: Frames, instructions: Sequence[str]) -> Inputs:
        """Tokenise; cheap, and free of the weights' device: dataloader workers may call it.

        Args:
            images: uint8 RGB (B, H, W, 3), of any size.
            instructions: B texts.

        Returns:
            CPU tensors. `images` holds the frames, uint8: the VLA brings them to `image_size` and
            `forward` normalises them, both on the weights' device.
        """

    @abstractmethod
    def forward(self, inputs: Inputs, query: Tensor) -> Tensor:
        """Last hidden state, after the final norm, at the ActionQuery.

        Args:
            inputs: what `prepare` returned, on the weights' device, with `images` now square.
            query: (hidden,) the embedding that stands in the last real token's place.

        Returns:
            (B, hidden).
        """

    @abstractmethod
    def part(self, part: Part) -> Iterable[nn.Parameter]:
        """The parameters of one part, for freezing; parts are disjoint and cover the backbone."""

    def save_memory(self) -> None:
        """Recompute activations in the backward pass (gradient checkpointing), where it can."""

    def plain_state(self) -> dict[str, Tensor]:
        """The weights without LoRA adapters, under the names they have without them: for `save`."""
        return {
            name.replace(".base_layer.", "."): tensor.detach().contiguous()
            for name, tensor in self.state_dict().items()
            if ".lora_" not in name
        }

    def freeze(self, parts: Iterable[Part]) -> None:
        """Stop the gradient of these parts; the others keep theirs."""
        for part in parts:
            for parameter in self.part(part):
                parameter.requires_grad_(False)


PARTS: tuple[Part, ...] = ("vision", "word_embeddings", "language")
