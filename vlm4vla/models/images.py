"""Frames on their way into a network: crop, resize, scale, on whichever device they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Bicubic with antialiasing, as Pillow does it, to within two grey levels.

    Args:
        images: uint8 (B, H, W, 3).
        height: wanted rows.
        width: wanted columns.

    Returns:
        uint8 (B, height, width, 3); the very same tensor if it has that size.
    """
    if images.shape[1:3] == (height, width):
        return images
    planes = images.permute(0, 3, 1, 2)
    if images.device.type == "cpu":  # torch's kernel for bytes does what Pillow does
        planes = _bicubic(planes, height, width)
    else:
        # Pillow resizes the columns first and rounds in between; clipping there what overshoots
        # changes sharp edges by many levels, so it is imitated.
        for rows, columns in ((images.shape[1], width), (height, width)):
            planes = _bicubic(planes.float(), rows, columns).round().clamp(0, 255)
    return planes.to(torch.uint8).permute(0, 2, 3, 1)


def _bicubic(planes: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(planes, (height, width), mode="bicubic", antialias=True)


def square(images: Tensor, side: int, area: float = 1.0) -> Tensor:
    """The middle `area` of each frame, brought to side x side: uint8 (B, side, side, 3)."""
    if area < 1:
        rows, columns = (round(length * math.sqrt(area)) for length in images.shape[1:3])
        top, left = (images.shape[1] - rows) // 2, (images.shape[2] - columns) // 2
        images = images[:, top : top + rows, left : left + columns]
    return resize(images, side, side)


def standardise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W): to [0, 1], minus mean, over std."""
    return scaled(planar(images), mean, std)


def planar(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> (B, 3, H, W), contiguous: bytes are cheaper to move than floats."""
    return images.permute(0, 3, 1, 2).contiguous()


def scaled(planes: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 (B, 3, ...) -> float32 of that shape: to [0, 1], minus mean, over std."""
    shape = (1, 3, *[1] * (planes.ndim - 2))
    scale = torch.tensor([1 / (255 * s) for s in std], device=planes.device).view(shape)
    shift = torch.tensor([m / s for m, s in zip(mean, std, strict=True)], device=planes.device)
    return planes.float().mul_(scale).sub_(shift.view(shape))
