"""Qwen2.5-VL, Qwen3-VL and Qwen3-VL-MoE as backbones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlm4vla.core.options import Bounds
from vlm4vla.models import images as pictures
from vlm4vla.models.config import Setup
from vlm4vla.models.hub import CLIP, LLAMA, HubBackbone

_SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
_QUESTION = "What action should the robotic arm take to "
_ANSWER = "<|im_end|>\n<|im_start|>assistant\n"


@dataclass(frozen=True)
class QwenOptions:
    """What only this family knows."""

    prompt: Literal["long", "short"] = "long"
    """Scheme 1 of the paper's A.2.3, used for all its results, or Scheme 2."""
    min_pixels: Annotated[int, Bounds(1, 4096**2)] = 28 * 28 * 256
    """A frame of fewer is enlarged to as many: 448 x 448 by default."""


@dataclass(frozen=True)
class Qwen3Options(QwenOptions):
    """What only Qwen3-VL knows."""

    deepstack: bool = True
    """Add features of the vision tower's early layers in the language model's first ones."""


class _StillPatches(nn.Module):
    """Patch embedding of a picture that stands still.

    The models embed tubes of two frames, and a picture is the same frame twice: the kernels of both
    frames can be added up beforehand, for half the numbers and the same result.
    """

    def __init__(self, proj: nn.Conv3d) -> None:
        """Share the model's own weights."""
        super().__init__()
        self.proj = proj

    def forward(self, patches: Tensor) -> Tensor:
        """(N, 3 * p * p) -> (N, width)."""
        weight = self.proj.weight.sum(2).flatten(1)
        return functional.linear(patches.to(weight.dtype), weight, self.proj.bias)


class _Qwen(HubBackbone):
    """The family's prompt, image path and positions."""

    lora_targets = LLAMA
    known_options: ClassVar[type] = QwenOptions
    options: QwenOptions

    def __init__(self, setup: Setup, model: nn.Module, tokenizer: object) -> None:
        """Fold the patch embedding."""
        super().__init__(setup, model, tokenizer)
        shape, visual = self.model.config.vision_config, self.model.model.visual
        self._patch, self._merge = int(shape.patch_size), int(shape.spatial_merge_size)
        visual.patch_embed = _StillPatches(visual.patch_embed.proj)

    @property
    def towers(self) -> tuple[Sequence[nn.Module], nn.Module]:
        """The mergers that project stand within the vision tower."""
        visual = self.model.model.visual
        deep = [visual.deepstack_merger_list] if hasattr(visual, "deepstack_merger_list") else []
        return [visual, visual.merger, *deep], self.model.model.language_model

    def prompt_before(self) -> str:
        """Up to the image."""
        begun = _SYSTEM if self.options.prompt == "long" else "<|im_start|>"
        return f"{begun}<|vision_start|>"

    def prompt_after(self, instruction: str) -> str:
        """From the image to the ActionQuery."""
        if self.options.prompt == "long":
            return f"<|vision_end|>{_QUESTION}{instruction}{_ANSWER}"
        return f"<|vision_end|>{instruction}\n"

    def side(self, side: int) -> int:
        """What a square frame is resized to: Qwen's smart resize, without its upper limit."""
        factor, least = self._patch * self._merge, self.options.min_pixels
        rounded = max(factor, round(side / factor) * factor)
        if rounded * rounded >= least:
            return rounded
        return math.ceil(math.sqrt(least) / factor) * factor

    def patches(self, images: Tensor) -> tuple[Tensor, int]:
        """uint8 (B, S, S, 3) -> patches (B * g * g, 3 * p * p), and the grid's side g.

        Patches that one token will merge are neighbours.
        """
        side = self.side(images.shape[1])
        planes = pictures.planar(pictures.resize(images, side, side))
        grid, patch, merge = side // self._patch, self._patch, self._merge
        blocks = planes.reshape(-1, 3, grid // merge, merge, patch, grid // merge, merge, patch)
        patches = blocks.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(-1, 3, patch * patch)
        return pictures.scaled(patches, self.mean, self.std).flatten(1), grid

    def positions(self, before: int, side: int, after: int, device: torch.device) -> Tensor:
        """M-RoPE positions (3, 1, before + side**2 + after): time, row, column.

        Text advances all three together; the image's tokens share one time and count rows and
        columns from it; the text goes on behind the larger of the two.
        """
        count = torch.arange(before + side * side + after, device=device).expand(3, -1)
        if self.flat:
            return count[:, None]
        cell = torch.arange(side * side, device=device)
        image = torch.stack([torch.zeros_like(cell), cell // side, cell % side]) + before
        tail = count[:, :after] + before + side
        return torch.cat([count[:, :before], image, tail], 1)[:, None]

    def embed_and_run(self, images: Tensor, before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
        """See HubBackbone.

        Natively nothing behind the ActionQuery can be seen from it: no padding mask is needed, and
        the quick causal kernels apply.
        """
        patches, grid = self.patches(images)
        shape = torch.tensor([[1, grid, grid]]).expand(len(images), -1).to(images.device)
        seen = self.model.model.visual(patches.to(self.dtype), grid_thw=shape)
        side = grid // self._merge
        picture = seen.pooler_output.reshape(len(images), side * side, -1).to(before.dtype)
        sequence = torch.cat([before, picture, after], 1)
        positions = self.positions(before.shape[1], side, after.shape[1], images.device)
        states: Tensor = self.model.model.language_model(
            inputs_embeds=sequence,
            position_ids=positions.expand(-1, len(images), -1),
            attention_mask=self.whole(mask, sequence.shape[1]) if self.flat else None,
            use_cache=False,
            **self.deep(seen, before.shape[1], sequence),
        ).last_hidden_state
        return states

    def deep(self, seen: object, first: int, sequence: Tensor) -> dict[str, object]:
        """Further arguments that carry image features into deeper layers."""
        return {}


class Qwen25VL(_Qwen):
    """Qwen2.5-VL-3B and -7B."""

    architecture = "Qwen2_5_VLForConditionalGeneration"
    model_types = ("qwen2_5_vl",)
    mean, std = CLIP


class Qwen3VL(_Qwen):
    """Qwen3-VL-2B, -4B and -8B."""

    architecture = "Qwen3VLForConditionalGeneration"
    model_types = ("qwen3_vl",)
    known_options: ClassVar[type] = Qwen3Options
    options: Qwen3Options

    def __init__(self, setup: Setup, model: nn.Module, tokenizer: object) -> None:
        """What is never asked is never trained."""
        super().__init__(setup, model, tokenizer)
        if not self.options.deepstack:
            self.model.model.visual.deepstack_merger_list.requires_grad_(False)

    def deep(self, seen: object, first: int, sequence: Tensor) -> dict[str, object]:
        """DeepStack: one addition per early layer, at the image's tokens."""
        if not self.options.deepstack:
            return {}
        features: list[Tensor] = seen.deepstack_features  # type: ignore[attr-defined]
        tokens = len(features[0]) // len(sequence) if features else 0
        at = torch.zeros(sequence.shape[:2], dtype=torch.bool, device=sequence.device)
        at[:, first : first + tokens] = True
        return {"visual_pos_masks": at, "deepstack_visual_embeds": features}


class Qwen3VLMoe(Qwen3VL):
    """Qwen3-VL-30B-A3B. Its experts are no linear layers: LoRA adapts the attention alone."""

    architecture = "Qwen3VLMoeForConditionalGeneration"
    model_types = ("qwen3_vl_moe",)
    lora_targets = r".*language_model\.layers\.\d+\.self_attn\.[qkvo]_proj"
