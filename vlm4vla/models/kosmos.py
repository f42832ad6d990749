"""Kosmos-2 as a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlm4vla.models import images as pictures
from vlm4vla.models.hub import CLIP, HubBackbone


@dataclass(frozen=True)
class KosmosOptions:
    """What only Kosmos-2 knows."""

    image: Literal["tagged", "first"] = "tagged"
    """`tagged`: latents between the tags; `first`, the published code: latents before a doubled
    `<s>`, empty tags in the text, a closing `</s>`."""
    phrase: Literal["phrase", "p"] = "phrase"
    """The tag around the instruction: `phrase`, the token that the model knows, or `p`, which the
    paper and its code write and the tokenizer spells letter by letter."""


class Kosmos2(HubBackbone):
    """`<s><image>` 64 latents `</image><phrase>` instruction `</phrase>` ActionQuery, 224 px."""

    architecture = "Kosmos2ForConditionalGeneration"
    model_types = ("kosmos-2",)
    lora_targets = r".*text_model\.model\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|ffn\.fc[12])"
    known_options: ClassVar[type] = KosmosOptions
    options: KosmosOptions
    mean, std = CLIP

    @property
    def towers(self) -> tuple[Sequence[nn.Module], nn.Module]:
        """The vision encoder with its resampler; the decoder."""
        seeing = [self.model.vision_model, self.model.image_to_text_projection]
        return seeing, self.model.text_model.model

    def prompt_before(self) -> str:
        """Up to the latents."""
        return "<s><image>" if self.options.image == "tagged" else ""

    def prompt_after(self, instruction: str) -> str:
        """From the latents to the ActionQuery."""
        tag = self.options.phrase
        said = f"<{tag}>{instruction}\n</{tag}>"
        if self.options.image == "tagged":
            return f"</image>{said}"
        return f"<s><s><image><image_pad></image>{said}</s>"

    def embed_and_run(self, images: Tensor, before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
        """See HubBackbone. The decoder numbers positions itself, one after the other."""
        side = int(self.model.config.vision_config.image_size)
        pixels = pictures.standardise(pictures.resize(images, side, side), self.mean, self.std)
        seen = self.model.vision_model(pixel_values=pixels.to(self.dtype)).last_hidden_state
        seen = functional.normalize(self.model.vision_model.model.post_layernorm(seen), dim=-1)
        picture, _ = self.model.image_to_text_projection(seen)
        sequence = torch.cat([before, picture.to(before.dtype), after], 1)
        states: Tensor = self.model.text_model.model(
            inputs_embeds=sequence,
            attention_mask=self.whole(mask, sequence.shape[1]) if self.flat else None,
            use_cache=False,
        ).last_hidden_state
        return states
