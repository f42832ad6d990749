"""A backbone of forty thousand numbers: no download, no tokenizer, milliseconds on a CPU.

For trying the trainer and the harness out, and as the shortest example of a Backbone. It sees the
picture through three convolutions and an instruction as hashed words.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from vlm4vla.core.errors import MissingAsset
from vlm4vla.models import images as pictures
from vlm4vla.models.backbone import Backbone
from vlm4vla.models.config import Part, Setup
from vlm4vla.models.contracts import ReaderSpec
from vlm4vla.models.reading import Frames, Inputs, Reading

_WORDS = 512
_WIDTH = 32
_CELLS = 16  # the last feature map is 4 x 4


class ToyBackbone(Backbone):
    """Convolutions and a bag of hashed words, read by one attention layer at each query."""

    hidden_size = _WIDTH
    reader = ReaderSpec(queries=16)
    lora_targets: ClassVar[str] = r"(mix|out)"

    def __init__(self, setup: Setup) -> None:
        """Random weights; `load` replaces them."""
        super().__init__(setup)
        self.eye = nn.Sequential(
            nn.Conv2d(3, 16, 5, 4, 2), nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(32, _WIDTH, 3, 2, 1),
            nn.AdaptiveAvgPool2d(4),
        )  # fmt: skip
        self.words = nn.Embedding(_WORDS, _WIDTH)
        self.places = nn.Parameter(torch.randn(_CELLS, _WIDTH) * 0.02)
        self.mix = nn.Linear(_WIDTH, _WIDTH)
        self.out = nn.Linear(_WIDTH * (_CELLS + 2), _WIDTH)
        self.norm = nn.LayerNorm(_WIDTH)

    @classmethod
    def load(
        cls,
        source: str | Path,
        setup: Setup,
        *,
        scratch: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Weights of an own earlier `save`; an empty source means random ones."""
        model = cls(setup)
        if str(source) and not scratch:
            file = Path(source) / "model.safetensors"
            if not file.is_file():
                raise MissingAsset(f"There is no toy backbone in {source}.", "Leave --source out.")
            model.load_state_dict(load_file(file))
        return model.to(dtype)

    def save(self, folder: Path, *, weights: bool = True) -> None:
        """`model.safetensors`, and a config that says what it is."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"model_type": "vlm4vla_toy"}) + "\n")
        if weights:
            save_file(self.plain_state(), folder / "model.safetensors")

    def prepare(self, images: Frames, instructions: Sequence[str]) -> Inputs:
        """Words as hashed counts, frames as they are."""
        counts = torch.zeros(len(instructions), _WORDS)
        for row, instruction in enumerate(instructions):
            for word in instruction.lower().split():
                counts[row, zlib.crc32(word.encode()) % _WORDS] += 1
        return {"images": torch.from_numpy(images.copy()), "words": counts}

    def forward(self, inputs: Inputs, queries: Tensor) -> Reading:
        """States of width 32."""
        small = pictures.resize(inputs["images"], 64, 64)
        pixels = pictures.standardise(small, [0.5] * 3, [0.5] * 3)
        cells = self.eye(pixels.to(queries.dtype)).flatten(2).transpose(1, 2) + self.places
        text = inputs["words"].to(queries.dtype) @ self.words.weight
        gated = (cells * self.mix(text)[:, None].sigmoid()).flatten(1)
        joined = [torch.cat([gated, text, query.expand_as(text)], -1) for query in queries]
        return Reading(
            torch.stack([self.norm(functional.gelu(self.out(each))) for each in joined], 1)
        )

    def part(self, part: Part) -> Iterable[nn.Parameter]:
        """Vision is the convolutions, word embeddings the table, language the rest."""
        if part == "vision":
            return [*self.eye.parameters(), self.places]
        if part == "word_embeddings":
            return self.words.parameters()
        return [p for m in (self.mix, self.out, self.norm) for p in m.parameters()]
