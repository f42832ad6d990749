"""`mobilenet-minilm`: pretrained parts that ship in Python packages, joined into a tiny VLM.

No aligned vision-language model is small enough for a CPU and ships in a package. Its two halves
do: MobileNetV2 (ImageNet) and MiniLM (sentences). `studies.emoji.alignment` joins them on emoji
art; the result is a source folder like any other backbone's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Self, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from vlm4vla.core.errors import MissingAsset
from vlm4vla.core.options import Bounds
from vlm4vla.models import images as pictures
from vlm4vla.models.backbone import Backbone
from vlm4vla.models.config import PARTS, Part, Setup
from vlm4vla.models.contracts import ReaderSpec
from vlm4vla.models.reading import Frames, Inputs, Reading
from vlm4vla.studies.emoji.network.fusion import Alignment, Fusion
from vlm4vla.studies.emoji.network.mobilenet import DEVIATION, MEAN, Trunk
from vlm4vla.studies.emoji.network.text import SentenceEncoder

MODEL_TYPE = "vlm4vla_mobilenet_minilm"
_SHARE = Bounds(0, 1)
WEIGHTS, _TEXT = "model.safetensors", "text"
_FIX = "Make it: bench learn --out FOLDER. Then: --source FOLDER/aligned"


@dataclass(frozen=True)
class MobileNetOptions:
    """The part of the picture that is looked at, and the size of what compares it."""

    top: Annotated[float, _SHARE] = 96 / 448
    """Shares of the height and width: where table, robot hand and cards are in the emoji task's
    camera."""
    bottom: Annotated[float, _SHARE] = 320 / 448
    left: Annotated[float, _SHARE] = 0.0
    right: Annotated[float, _SHARE] = 384 / 448
    seen: Annotated[int, Bounds(0, 4096)] = 16
    """Places found without the instruction."""
    meant: Annotated[int, Bounds(0, 4096)] = 2
    """Places found with it."""
    layers: Annotated[int, Bounds(0, 64)] = 2
    """Of the transformer."""


class MobileNetMiniLM(Backbone):
    """Places in the picture, some compared with the instruction, read at the ActionQuery."""

    hidden_size = 128
    reader = ReaderSpec(frozenset({"states", "layers"}))
    parts = PARTS
    lora_targets: ClassVar[str] = r"fusion\.transformer\..*linear\d"
    known_options: ClassVar[type] = MobileNetOptions
    options: MobileNetOptions

    def __init__(self, setup: Setup, text: SentenceEncoder) -> None:
        """Random weights but for the sentence encoder's; `load` replaces them."""
        super().__init__(setup)
        self.text = text
        self.vision = Trunk()
        self.align = Alignment(Trunk.COARSE, text.width)
        self.fusion = Fusion(
            Trunk.FINE + 3, self.hidden_size, self.options.seen, self.options.meant,
            self.options.layers, 4,
        )  # fmt: skip

    @classmethod
    def load(
        cls,
        source: str | Path,
        setup: Setup,
        *,
        scratch: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """What `save` or the alignment stage wrote in `source`."""
        folder = Path(source).expanduser()
        config = folder / "config.json"
        if not config.is_file() or json.loads(config.read_text())["model_type"] != MODEL_TYPE:
            raise MissingAsset(f"There is no aligned MobileNet and MiniLM in {folder}.", _FIX)
        # The weights, where wanted, come with all the others below.
        model = cls(setup, SentenceEncoder(folder / _TEXT, scratch=True))
        if not scratch:
            if not (folder / WEIGHTS).is_file():
                raise MissingAsset(f"{folder} holds no weights.", _FIX)
            state = load_file(folder / WEIGHTS)
            _check_shapes(folder, state, model.state_dict())
            # Without the fusion's tensors where the folder is only aligned.
            model.load_state_dict(state, strict=False)
        return model.to(dtype)

    def save(self, folder: Path, *, weights: bool = True) -> None:
        """`config.json`, `text/` (architecture and tokenizer), and `model.safetensors`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"model_type": MODEL_TYPE}) + "\n")
        self.text.model.config.save_pretrained(folder / _TEXT)
        self.text.tokenizer.save_pretrained(folder / _TEXT)
        if weights:
            save_file(self.plain_state(), folder / WEIGHTS)

    def prepare(self, images: Frames, instructions: Sequence[str]) -> Inputs:
        """Tokens, and the frames as they are."""
        return {"images": torch.from_numpy(images.copy()), **self.text.tokens(instructions)}

    def forward(self, inputs: Inputs, queries: Tensor) -> Reading:
        """States of width 128; `layers` are the heat maps of `Fusion.maps`.

        Inputs are what `prepare` made, or features that are known already: `fine`, and either `fit`
        from the alignment or `patches` and `sentences` to align.
        """
        (query,) = queries
        if "images" in inputs:
            fine, patches = self.features(inputs["images"])
            inputs = {"fine": fine, "patches": patches, "sentences": self.sentence(inputs)}
        fine = inputs["fine"]
        fit = inputs.get("fit")
        if fit is None:
            fit = self.align(inputs["patches"], inputs["sentences"])
        maps = self.fusion.maps(fine, fit.to(fine.dtype))
        return Reading(self.fusion.act(*maps, query.to(fine.dtype))[:, None], None, maps)

    def sentence(self, inputs: Inputs) -> Tensor:
        """What was said, (B, 384)."""
        return cast(Tensor, self.text(inputs["input_ids"], inputs["attention_mask"]))

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The part of the frames (B, H, W, 3) that is looked at.

        Returns:
            The feature map of stride 8 with each cell's mean colour, (B, 35, h, w), and patches of
            stride 16, (B, h/2, w/2, 684).
        """
        height, width = images.shape[1:3]
        top, bottom = (round(height * k) for k in (self.options.top, self.options.bottom))
        left, right = (round(width * k) for k in (self.options.left, self.options.right))
        pixels = pictures.standardise(images[:, top:bottom, left:right], MEAN, DEVIATION)
        pixels = pixels.to(self.align.patch.weight.dtype)
        fine, coarse = self.vision(pixels.contiguous(memory_format=torch.channels_last))
        colours = functional.adaptive_avg_pool2d(pixels, (fine.shape[-2], fine.shape[-1]))
        return torch.cat([fine, colours], 1), self.align.neighbourhoods(coarse, pixels)

    def centres(self, patches: Tensor, side: int) -> Tensor:
        """Where the middles of patches (B, h, w, C) are in a square picture: (h, w, 2) pixels.

        Column first; `side` is the picture's, in pixels.
        """
        top, left = (round(side * k) for k in (self.options.top, self.options.left))
        rows, columns = (
            torch.arange(count) * Trunk.STRIDE + Trunk.STRIDE / 2 + first
            for count, first in zip(patches.shape[1:3], (top, left), strict=True)
        )
        return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)

    def part(self, part: Part) -> Iterable[nn.Parameter]:
        """Vision is MobileNet, the projector its alignment, word embeddings all of MiniLM.

        Language is the rest. So freezing all others keeps what is pretrained or aligned.
        """
        parts: dict[Part, nn.Module] = {
            "vision": self.vision, "projector": self.align, "word_embeddings": self.text,
            "language": self.fusion,
        }  # fmt: skip
        return parts[part].parameters()

    def train(self, mode: bool = True) -> Self:
        """What is frozen keeps its batch statistics and drops nothing."""
        super().train(mode)
        for module in (self.vision, self.text):
            module.train(mode and any(p.requires_grad for p in module.parameters()))
        return self


def _check_shapes(folder: Path, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse weights of another design, by name or by shape. Raises MissingAsset.

    The fusion's tensors are there if a whole checkpoint was saved, not if only aligned.
    """
    whole = any(name.startswith("fusion.") for name in state)
    kept = [name for name in wanted if whole or not name.startswith("fusion.")]
    for name in sorted({*state, *kept}):
        there, own = (
            f"of shape {tuple(tensors[name].shape)}" if name in tensors else "missing"
            for tensors in (state, wanted)
        )
        if there != own:
            raise MissingAsset(
                f"{folder} was made by another revision: its {name} is {there}, "
                f"{'this network has none' if own == 'missing' else 'here it is ' + own}.",
                _FIX,
            )
