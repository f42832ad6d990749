"""PaliGemma 1 and 2 as backbones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vlm4vla.models import images as pictures
from vlm4vla.models.hub import LLAMA, HubBackbone


class PaliGemma(HubBackbone):
    """image `<bos>` instruction newline ActionQuery, 224 x 224 pixels in 256 tokens.

    The model was pretrained with an image and prompt that see each other both ways, and causal
    text behind them: the ActionQuery is that text (`Setup.attention` has the other readings).
    """

    architecture = "PaliGemmaForConditionalGeneration"
    model_types = ("paligemma",)
    lora_targets = LLAMA

    @property
    def towers(self) -> tuple[Sequence[nn.Module], nn.Module]:
        """SigLIP with its projector; Gemma."""
        inner = self.model.model
        return [inner.vision_tower, inner.multi_modal_projector], inner.language_model

    def prompt_before(self) -> str:
        """Nothing: the image comes first."""
        return ""

    def prompt_after(self, instruction: str) -> str:
        """The instruction as the prompt that the model was pretrained with."""
        return f"<bos>{instruction}\n"

    def embed_and_run(self, images: Tensor, before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
        """See HubBackbone. Positions count from 1."""
        side = int(self.model.config.vision_config.image_size)
        pixels = pictures.standardise(pictures.resize(images, side, side), self.mean, self.std)
        picture = self.model.model.get_image_features(pixels.to(self.dtype)).pooler_output
        sequence = torch.cat([before, picture.to(before.dtype), after], 1)
        whole = self.whole(mask, sequence.shape[1])
        states: Tensor = self.model.model(
            inputs_embeds=sequence,
            attention_mask=whole,
            token_type_ids=self._suffix(picture.shape[1], mask, whole),
            position_ids=torch.arange(1, sequence.shape[1] + 1, device=images.device)[None],
            use_cache=False,
        ).last_hidden_state
        return states

    def _suffix(self, tokens: int, mask: Tensor, whole: Tensor) -> Tensor:
        """(B, L): 0 for tokens that see each other both ways, 1 for causal ones."""
        kinds = torch.ones_like(whole)
        if self.setup.attention == "causal":
            return kinds
        kinds[:, :tokens] = 0
        if self.setup.attention == "native":
            prompt = mask.long().cumsum(1) < mask.sum(1, keepdim=True)  # all but the ActionQuery
            kinds[:, tokens:] = (~(prompt & mask)).long()
        return kinds
