"""The backbone contract: images and instructions in, hidden states at the ActionQueries out.

To add a backbone, subclass `Backbone` (or `models.hub.HubBackbone` for a transformers model),
implement the abstract methods and register it, see `models.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from vlm4vla.core import options
from vlm4vla.core.errors import BadInput, MissingDependency
from vlm4vla.models.config import Part, Scalar, Setup
from vlm4vla.models.contracts import ReaderSpec
from vlm4vla.models.reading import Frames, Inputs, Reading


class Backbone(nn.Module, ABC):
    """A vision-language model read out at learnable tokens behind image and instruction."""

    hidden_size: int
    """Width of the hidden state, and of the ActionQuery."""
    reader: ClassVar[ReaderSpec] = ReaderSpec()
    """What it gives."""
    parts: ClassVar[tuple[Part, ...]] = ("vision", "word_embeddings", "language")
    """What it can be told apart into; some have a projector between vision and language too."""
    lora_targets: ClassVar[str] = r".*"
    """Regular expression (full match) of the linear layers that LoRA on `language` adapts."""
    known_options: ClassVar[type | Mapping[str, Scalar]] = {}
    """`Setup.options` it takes: a dataclass (`core.options`), or their defaults by name."""
    options: object
    """What holds: one of that dataclass, or a mapping."""

    def __init__(self, setup: Setup) -> None:
        """Keep the wiring. Raises BadInput for an option or a value the class does not know."""
        super().__init__()
        known, owner = self.known_options, type(self).__name__
        self.setup = setup
        if isinstance(known, type):
            self.options = options.read(known, setup.options, owner)
        else:
            options.check(known, setup.options, owner)
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
            images: uint8 RGB (N, H, W, 3), of any size, as the formulation laid them out.
            instructions: N texts.

        Returns:
            CPU tensors. `images` holds the frames, uint8: the VLA brings them to `image_size` and
            `forward` normalises them, both on the weights' device.
        """

    @abstractmethod
    def forward(self, inputs: Inputs, queries: Tensor) -> Reading:
        """Last hidden states, after the final norm, at the ActionQueries, and what `reader` says.

        Args:
            inputs: what `prepare` returned, on the weights' device, with `images` now square.
            queries: (K, hidden) the embeddings that stand behind the last real token.
        """

    @abstractmethod
    def part(self, part: Part) -> Iterable[nn.Parameter]:
        """The parameters of one of `parts`; these are disjoint and cover what is used."""

    def lora_layers(self, part: Part) -> str | list[str]:
        """The linear layers that LoRA on this part adapts: names, or a regular expression.

        Raises BadInput where there are none.
        """
        if part == "language":
            return self.lora_targets
        own = {id(parameter) for parameter in self.part(part)} if part in self.parts else set()
        names = [
            name
            for name, module in self.named_modules()
            if isinstance(module, nn.Linear) and id(module.weight) in own
        ]
        if not names:
            raise BadInput(f"LoRA has no linear layer to adapt in the {part} of this backbone.")
        return names

    def save_memory(self) -> None:
        """Recompute activations in the backward pass, as transformers offers it.

        Raises MissingDependency where no part of this backbone does.
        """
        for module in self.modules():
            switch = getattr(module, "gradient_checkpointing_enable", None)
            if switch is not None:
                switch(gradient_checkpointing_kwargs={"use_reentrant": False})
                return
        raise MissingDependency(
            f"{type(self).__name__} offers no gradient checkpointing.",
            "Leave --gradient-checkpointing out.",
        )

    def plain_state(self) -> dict[str, Tensor]:
        """The weights without LoRA adapters, under the names they have without them: for `save`."""
        return {
            name.replace(".base_layer.", "."): tensor.detach().contiguous()
            for name, tensor in self.state_dict().items()
            if ".lora_" not in name
        }

    def freeze(self, parts: Iterable[Part]) -> None:
        """Stop the gradient of these parts; the others keep theirs."""
        for part in set(parts) & set(self.parts):
            for parameter in self.part(part):
                parameter.requires_grad_(False)
