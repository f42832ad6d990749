"""How likely a vision-language model finds a text as the answer to a question about an image.

The prompts are those each family was trained to answer; images, positions and attention go the way
the backbones' own code sends them, so that a checkpoint is read here exactly as it is in a VLA.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vlm4vla.core.errors import BadInput
from vlm4vla.models import images as pictures
from vlm4vla.models.config import Setup
from vlm4vla.models.hub import HubBackbone
from vlm4vla.models.kosmos import Kosmos2
from vlm4vla.models.paligemma import PaliGemma
from vlm4vla.models.reading import Frames
from vlm4vla.models.registry import backbone_class, entry

SIDE = 224
"""Pixels that every image is brought to before the backbone's own resize, as in a VLA."""


class _ReadingPaliGemma(PaliGemma):
    """Image and question see each other both ways, the answer is causal, as in pretraining.

    As a VLA's backbone, all text but the ActionQuery is question.
    """

    question_tokens = 0

    def _suffix(self, tokens: int, mask: Tensor, whole: Tensor) -> Tensor:
        kinds = torch.ones_like(whole, dtype=torch.long)
        kinds[:, : tokens + self.question_tokens] = 0
        return kinds


class LabelReader:
    """Reads labels off images: log p(label | image, question)."""

    def __init__(self, backbone: HubBackbone, question: str, device: torch.device) -> None:
        """Use `load`."""
        self.backbone = backbone.to(device).eval()
        self.device = device
        before, after = _prompt(backbone, question)
        self._before = torch.tensor([backbone.tokens(before)], dtype=torch.long, device=device)
        self._question = backbone.tokens(after)

    @classmethod
    def load(cls, name: str, question: str, source: str | Path = "", device: str = "cpu") -> Self:
        """The pretrained model behind a backbone's name.

        Args:
            name: a registered backbone of the transformers library, e.g. `qwen3vl-4b`.
            question: what is asked about each image.
            source: local folder or hub id; by default the backbone's own. Nothing is fetched.
            device: torch's name of it; float32 on `cpu`, bfloat16 elsewhere.

        Raises:
            UnknownName: no such backbone.
            BadInput: the backbone has no text to answer with, or no such device.
            MissingAsset: the weights are not on this machine.
        """
        kind = backbone_class(name)
        if not issubclass(kind, HubBackbone):
            raise BadInput(
                f"{name} has no text output to ask.",
                "Choose a vision-language model, e.g. kosmos-2.",
            )
        if issubclass(kind, PaliGemma):
            kind = _ReadingPaliGemma
        try:
            place = torch.device(device)
            torch.empty(1, device=place)
        except (RuntimeError, AssertionError) as error:
            raise BadInput(f"There is no device '{device}' here.", "--device cpu") from error
        dtype = torch.float32 if place.type == "cpu" else torch.bfloat16
        backbone = kind.load(source or entry(name).source, Setup(), dtype=dtype)
        return cls(backbone, question, place)

    @torch.inference_mode()
    def __call__(self, images: Frames, label: str) -> NDArray[np.float64]:
        """Sum over the label's tokens of their log probabilities.

        The same label for every image: neither its length nor how common its words are can decide
        between images.

        Args:
            images: uint8 RGB (B, H, W, 3).
            label: the answer.

        Returns:
            (B,), natural logarithms.
        """
        backbone = self.backbone
        if isinstance(backbone, _ReadingPaliGemma):
            backbone.question_tokens = len(self._question)
        answer = backbone.tokens(label)
        if not answer:
            raise BadInput(f"The label '{label}' has no tokens.")
        ids = torch.tensor([self._question + answer], device=self.device).expand(len(images), -1)
        frames = pictures.square(torch.from_numpy(images).to(self.device), SIDE)
        states = backbone.embed_and_run(
            frames,
            backbone.embeddings(self._before.expand(len(images), -1)),
            backbone.embeddings(ids),
            torch.ones_like(ids, dtype=torch.bool),
        )
        # The state at a token predicts the next one.
        seen = states[:, -len(answer) - 1 : -1]
        logits: Tensor = backbone.model.get_output_embeddings()(seen).float()
        text = backbone.model.config.get_text_config()
        if cap := getattr(text, "final_logit_softcapping", None):  # Gemma 2
            logits = cap * torch.tanh(logits / cap)
        each = logits.log_softmax(-1).gather(-1, ids[:, -len(answer) :, None])
        return each.double().sum((1, 2)).cpu().numpy()


def _prompt(backbone: HubBackbone, question: str) -> tuple[str, str]:
    if isinstance(backbone, PaliGemma):
        return "", f"<bos>answer en {question}\n"
    if isinstance(backbone, Kosmos2):
        return "<s><image>", f"</image>Question: {question} Answer:"
    turn = "<|im_end|>\n<|im_start|>assistant\n"
    return backbone.prompt_before(), f"<|vision_end|>{question}{turn}"
