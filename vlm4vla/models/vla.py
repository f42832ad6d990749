"""The VLA: backbone, ActionQuery, head; actions in and out in the dataset's own convention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vlm4vla.models import images as pictures
from vlm4vla.models.backbone import Backbone, Frames, Inputs
from vlm4vla.models.config import ARM, VLAConfig
from vlm4vla.models.heads import PolicyHead
from vlm4vla.models.normalisation import Normaliser
from vlm4vla.models.registry import backbone_class

__all__ = ["ARM", "VLA", "VLAConfig"]


class VLA(nn.Module):
    """One model. `forward` is the loss, so that Accelerate's and DDP's wrappers see it."""

    def __init__(self, config: VLAConfig, backbone: Backbone) -> None:
        """Wire a loaded backbone to a zero ActionQuery and a fresh head."""
        super().__init__()
        assert config.action.gripper is not None
        self.config = config
        self.backbone = backbone
        self.query = nn.Parameter(torch.zeros(backbone.hidden_size))
        self.head = PolicyHead(backbone.hidden_size, config.chunk)
        self.normaliser = Normaliser(config.statistics, config.clip_norm, config.action.gripper)

    @classmethod
    def build(cls, config: VLAConfig, dtype: torch.dtype = torch.float32) -> VLA:
        """A model to train: pretrained or random backbone, LoRA and freezing as configured.

        `dtype` is the backbone's; query and head are always float32. Raises MissingAsset where
        the pretrained weights are not on this machine.
        """
        backbone = backbone_class(config.backbone).load(
            config.source, config.setup, scratch=config.scratch, dtype=dtype
        )
        return cls(config, tuned(backbone, config))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.query.device

    def prepare(self, images: Frames, instructions: Sequence[str]) -> Inputs:
        """CPU tensors for `loss`; see Backbone.prepare. Frames (B, H, W, 3) of any one size."""
        return self.backbone.prepare(images, instructions)

    def hidden(self, inputs: Inputs, crop: float = 1.0) -> Tensor:
        """The ActionQuery's last hidden state, float32 (B, hidden)."""
        images = pictures.square(inputs["images"], self.config.image_size, crop)
        hidden: Tensor = self.backbone({**inputs, "images": images}, self.query)
        return hidden.float()

    def loss(self, inputs: Inputs, actions: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Masked means over the chunk.

        Args:
            inputs: from `prepare`, on the model's device.
            actions: (B, chunk, 7) in the dataset's units and convention.
            mask: (B, chunk) bool, False behind the episode's end.

        Returns:
            Scalars `loss` (to minimise), `arm`, `gripper` and `gripper_accuracy`.
        """
        arm, logits = self.head(self.hidden(inputs))
        wanted, opens = self.normaliser.encode(actions.float())
        distance = functional.huber_loss if self.config.arm_loss == "huber" else functional.mse_loss
        arm_loss = _mean(distance(arm, wanted, reduction="none").mean(-1), mask)
        entropy = functional.binary_cross_entropy_with_logits(logits, opens, reduction="none")
        gripper_loss = _mean(entropy, mask)
        right = ((logits > 0) == (opens > 0.5)).float()
        return {
            "loss": arm_loss + self.config.gripper_loss_weight * gripper_loss,
            "arm": arm_loss.detach(),
            "gripper": gripper_loss.detach(),
            "gripper_accuracy": _mean(right, mask).detach(),
        }

    forward = loss

    @torch.inference_mode()
    def predict(self, images: Frames, instructions: Sequence[str]) -> Tensor:
        """Frames uint8 (B, H, W, 3) and B texts -> float32 (B, chunk, 7), dataset's units."""
        inputs = {k: v.to(self.device) for k, v in self.prepare(images, instructions).items()}
        return self.normaliser.decode(*self.head(self.hidden(inputs, self.config.centre_crop)))


def tuned(backbone: Backbone, config: VLAConfig) -> Backbone:
    """Apply freezing, then LoRA (which trains nothing but itself), in place."""
    backbone.freeze(config.frozen)
    if config.lora is not None:
        from peft import LoraConfig, inject_adapter_in_model

        inject_adapter_in_model(
            LoraConfig(
                r=config.lora.rank,
                lora_alpha=config.lora.alpha,
                lora_dropout=config.lora.dropout,
                target_modules=backbone.lora_targets,
            ),
            backbone,
        )
    return backbone


def trained(model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
    """The parameters that training changes, by name."""
    return ((name, p) for name, p in model.named_parameters() if p.requires_grad)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over what the mask keeps; 0 where it keeps nothing."""
    kept = mask.to(values.dtype)
    return (values * kept).sum() / kept.sum().clamp(min=1)
