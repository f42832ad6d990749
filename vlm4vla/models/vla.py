"""The VLA: backbone, formulation, decoder; actions in and out in the dataset's own convention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vlm4vla.core.policy import Session
from vlm4vla.models import images as pictures
from vlm4vla.models.backbone import Backbone
from vlm4vla.models.config import PARTS, LoRA, VLAConfig
from vlm4vla.models.contracts import check_fit
from vlm4vla.models.reading import Frames, Inputs, Proprio, States, Targets
from vlm4vla.models.registry import backbone_class


class VLA(nn.Module):
    """One model. `forward` is the loss, so that Accelerate's and DDP's wrappers see it."""

    def __init__(self, config: VLAConfig, backbone: Backbone) -> None:
        """Wire a loaded backbone to zero ActionQueries, formulation and a fresh decoder."""
        super().__init__()
        self.config = config
        self.backbone = backbone
        count, width = config.decoder.needs.queries, backbone.hidden_size
        # One query has no axis for queries: so it stands in every checkpoint of format 1.
        self.query = nn.Parameter(torch.zeros(width if count == 1 else (count, width)))
        self.formulation = config.formulation.build(width, len(config.cameras))
        self.decoder = config.decoder.build(self.formulation.width, config)

    @classmethod
    def build(cls, config: VLAConfig, dtype: torch.dtype = torch.float32) -> VLA:
        """A model to train: pretrained or random backbone, each part trained as configured.

        `dtype` is the backbone's; queries and decoder are always float32. Raises ReaderMismatch
        where the decoder asks for what the backbone does not give, MissingAsset where the
        pretrained weights are not on this machine.
        """
        kind = fitting(config)
        backbone = kind.load(config.source, config.setup, scratch=config.scratch, dtype=dtype)
        return cls(config, tuned(backbone, config))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.query.device

    def prepare(
        self, images: Frames, instructions: Sequence[str], proprio: Proprio | None = None
    ) -> Inputs:
        """CPU tensors for `loss`; see Backbone.prepare.

        Args:
            images: uint8 RGB (B, T, V, H, W, 3): frames by offset, and cameras, of any one size;
                (B, H, W, 3) is one frame of one camera.
            instructions: B texts.
            proprio: (B, T, P), where it is used.
        """
        if images.ndim == 4:
            images = images[:, None, None]
        inputs = self.backbone.prepare(*self.formulation.sequences(images, instructions))
        return inputs if proprio is None else {**inputs, "proprio": torch.from_numpy(proprio)}

    def states(self, inputs: Inputs, crop: float = 1.0) -> States:
        """What the decoder sees. Inputs without `images` are features that are known already."""
        if "images" in inputs:
            images = pictures.square(inputs["images"], self.config.image_size, crop)
            inputs = {**inputs, "images": images}
        reading = self.backbone(inputs, self.query.reshape(-1, self.backbone.hidden_size))
        return self.formulation.states(reading, inputs.get("proprio"))

    def loss(self, inputs: Inputs, targets: Targets) -> dict[str, Tensor]:
        """The decoder's losses, of which `loss` is minimised; all on the model's device."""
        return self.decoder.loss(self.states(inputs), targets)

    forward = loss

    @torch.inference_mode()
    def predict(
        self,
        views: Sequence[Frames] | Frames,
        instructions: Sequence[str],
        proprio: Proprio | None = None,
        sessions: Sequence[Session] = (),
    ) -> Tensor:
        """Actions float32 (B, chunk, 7) in the dataset's units.

        Args:
            views: as `prepare` takes them, or for each camera, of its own size, (B, T, H, W, 3).
            instructions: as `prepare` takes them; so is `proprio`.
            proprio: see there.
            sessions: the B running episodes.
        """
        crop = self.config.centre_crop
        if not isinstance(views, np.ndarray):
            if len({view.shape for view in views}) > 1:
                side = self.config.image_size
                views, crop = [pictures.squares(view, side, crop) for view in views], 1.0
            views = np.stack(views, 2)
        prepared = self.prepare(views, instructions, proprio)
        inputs = {name: tensor.to(self.device) for name, tensor in prepared.items()}
        return self.decoder.decode(self.states(inputs, crop), sessions)


def fitting(config: VLAConfig) -> type[Backbone]:
    """The backbone's class, if it gives what decoder and formulation need.

    Raises ReaderMismatch where it does not.
    """
    kind = backbone_class(config.backbone)
    in_one = config.formulation.pictures(len(config.cameras))
    check_fit(config.backbone, kind.reader, config.decoder.kind, config.decoder.needs, in_one)
    return kind


def tuned(backbone: Backbone, config: VLAConfig) -> Backbone:
    """Set what is trained of each part, in place."""
    backbone.freeze(part for part in PARTS if config.mode(part) != "full")
    kept = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    for part in PARTS:
        mode = config.mode(part)
        if isinstance(mode, LoRA):
            from peft import LoraConfig, inject_adapter_in_model

            adapters = LoraConfig(
                r=mode.rank,
                lora_alpha=mode.alpha,
                lora_dropout=mode.dropout,
                target_modules=backbone.lora_layers(part),
            )
            inject_adapter_in_model(adapters, backbone)
    for parameter in kept:  # injecting trains nothing but adapters
        parameter.requires_grad_(True)
    return backbone


def trained(model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
    """The parameters that training changes, by name."""
    return ((name, p) for name, p in model.named_parameters() if p.requires_grad)
