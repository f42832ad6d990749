"""Frames on their way into a network: crop, resize, scale, on whichever device they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
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
    on_cpu = images.device.type == "cpu"
    planes = (_by_bytes if on_cpu else _by_floats)(images.permute(0, 3, 1, 2), height, width)
    return planes.permute(0, 2, 3, 1)


def _by_bytes(planes: Tensor, height: int, width: int) -> Tensor:
    """Torch's kernel for bytes, which there is on a CPU only, computes as Pillow does."""
    return functional.interpolate(planes, (height, width), mode="bicubic", antialias=True)


def _by_floats(planes: Tensor, height: int, width: int) -> Tensor:
    """The same elsewhere.

    Pillow resizes the columns first and rounds in between; clipping there what overshoots changes
    sharp edges by many levels, so it is imitated.
    """
    for shape in ((planes.shape[2], width), (height, width)):
        planes = functional.interpolate(planes.float(), shape, mode="bicubic", antialias=True)
        planes = planes.round().clamp(0, 255)
    return planes.to(torch.uint8)


def square(images: Tensor, side: int, area: float = 1.0) -> Tensor:
    """The middle `area` of each frame, brought to side x side: uint8 (B, side, side, 3)."""
    if area < 1:
        rows, columns = (round(length * math.sqrt(area)) for length in images.shape[1:3])
        top, left = (images.shape[1] - rows) // 2, (images.shape[2] - columns) // 2
        images = images[:, top : top + rows, left : left + columns]
    return resize(images, side, side)


def squares(frames: NDArray[np.uint8], side: int, area: float = 1.0) -> NDArray[np.uint8]:
    """`square` of frames (..., H, W, 3) on the CPU: (..., side, side, 3)."""
    flat = torch.from_numpy(frames.reshape(-1, *frames.shape[-3:]))
    made: NDArray[np.uint8] = square(flat, side, area).numpy()
    return made.reshape(*frames.shape[:-3], side, side, 3)


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
