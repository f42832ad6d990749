"""Frames on their way into a network: crop, resize, scale, on whichever device they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """Bicubic with antialiasing, as Pillow does it, to within one grey level.

    Like Pillow it resizes the columns first and rounds in between: clipping what overshoots there
    changes sharp edges by many levels.

    Args:
        images: uint8 (B, H, W, 3).
        height: wanted rows.
        width: wanted columns.

    Returns:
        uint8 (B, height, width, 3); the very same tensor if it has that size.
    """
    if images.shape[1:3] == (height, width):
        return images
    planes = images.permute(0, 3, 1, 2).float()
    for shape in ((images.shape[1], width), (height, width)):
        planes = functional.interpolate(planes, shape, mode="bicubic", antialias=True)
        planes = planes.round().clamp(0, 255)
    return planes.to(torch.uint8).permute(0, 2, 3, 1)


def square(images: Tensor, side: int, area: float = 1.0) -> Tensor:
    """The middle `area` of each frame, brought to side x side: uint8 (B, side, side, 3)."""
    if area < 1:
        rows, columns = (round(length * math.sqrt(area)) for length in images.shape[1:3])
        top, left = (images.shape[1] - rows) // 2, (images.shape[2] - columns) // 2
        images = images[:, top : top + rows, left : left + columns]
    return resize(images, side, side)


def standardise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W): to [0, 1], minus mean, over std."""
    scale = 255 * torch.tensor(std, device=images.device)
    shift = torch.tensor(mean, device=images.device) / torch.tensor(std, device=images.device)
    return (images.float() / scale - shift).permute(0, 3, 1, 2)
