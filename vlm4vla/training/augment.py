"""Pictures varied while training, as the published pipelines do it, in numpy and Pillow.

VLM4VLA section 6: on CALVIN a random shift by up to 10 pixels; on Bridge, Fractal and LIBERO
OpenVLA's recipe (a crop of 0.9 of the area, then brightness, contrast, saturation, hue, in that
order), whose crop evaluation answers with a centre crop of the same area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from vlm4vla.core.errors import UnknownName
from vlm4vla.core.simulator import Frames

Augmentation = Literal["none", "shift", "crop", "colour", "openvla"]


@dataclass(frozen=True)
class Augmenter:
    """What happens to a training picture, in this order."""

    shift: float = 0.0
    """Greatest shift, as a share of the side; the edge is repeated (DrQ)."""
    crop: float = 1.0
    """Area kept by a crop at a random place. Evaluation keeps as much of the centre, to see objects
    as large as training showed them."""
    brightness: float = 0.0
    """Greatest change of all channels, as a share of 255."""
    contrast: float = 0.0
    """Greatest change of the factor about each channel's mean, from 1."""
    saturation: float = 0.0
    """Greatest change of the saturation's factor, from 1."""
    hue: float = 0.0
    """Greatest turn of the hue, as a share of the circle."""

    def apply(self, frame: Frames, rng: Generator) -> Frames:
        """One (H, W, 3) uint8 frame varied; a crop comes back smaller, and is resized later."""
        if self.shift:
            frame = _shift(frame, self.shift, rng)
        if self.crop < 1:
            frame = _crop(frame, self.crop, rng)
        if self.brightness or self.contrast:
            frame = _light(frame, self.brightness, self.contrast, rng)
        if self.saturation or self.hue:
            frame = _colour(frame, self.saturation, self.hue, rng)
        return frame


_JITTER = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.05}
_NAMED: dict[str, Augmenter] = {
    "none": Augmenter(),
    "shift": Augmenter(shift=10 / 224),
    "crop": Augmenter(crop=0.9),
    "colour": Augmenter(**_JITTER),
    "openvla": Augmenter(crop=0.9, **_JITTER),
}


def named(name: str) -> Augmenter:
    """The augmentation of that name. Raises UnknownName."""
    UnknownName.check("augmentation", [name], _NAMED)
    return _NAMED[name]


def _shift(frame: Frames, share: float, rng: Generator) -> Frames:
    pad = max(1, round(share * min(frame.shape[:2])))
    padded = np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    top, left = rng.integers(0, 2 * pad + 1, 2)
    return padded[top : top + frame.shape[0], left : left + frame.shape[1]]


def _crop(frame: Frames, area: float, rng: Generator) -> Frames:
    height, width = (round(side * math.sqrt(area)) for side in frame.shape[:2])
    top = int(rng.integers(0, frame.shape[0] - height + 1))
    left = int(rng.integers(0, frame.shape[1] - width + 1))
    return frame[top : top + height, left : left + width]


def _light(frame: Frames, brightness: float, contrast: float, rng: Generator) -> Frames:
    pixels = frame.astype(np.float64) + 255 * rng.uniform(-brightness, brightness)
    mean = pixels.mean((0, 1))
    changed = (pixels - mean) * rng.uniform(1 - contrast, 1 + contrast) + mean
    return np.asarray(changed.round().clip(0, 255), np.uint8)


def _colour(frame: Frames, saturation: float, hue: float, rng: Generator) -> Frames:
    from PIL import Image

    hsv = np.asarray(Image.fromarray(frame).convert("HSV")).astype(np.float64)
    hsv[..., 1] *= rng.uniform(1 - saturation, 1 + saturation)
    hsv[..., 1] = hsv[..., 1].clip(0, 255)
    hsv[..., 0] = (hsv[..., 0] + 256 * rng.uniform(-hue, hue)) % 256
    height, width = frame.shape[:2]
    return np.asarray(Image.frombytes("HSV", (width, height), hsv.astype(np.uint8)).convert("RGB"))
