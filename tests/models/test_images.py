"""Frames are resized as Pillow does it, on every device's path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from vlm4vla.models import images
from vlm4vla.models.images import resize, square, standardise

BICUBIC = Image.Resampling.BICUBIC
NOISE = np.random.default_rng(0).integers(0, 256, (2, 200, 180, 3), dtype=np.uint8)
"""The hardest picture to resize."""


def pillow(frame, side):
    return np.asarray(Image.fromarray(frame).resize((side, side), BICUBIC)).astype(int)


@pytest.mark.parametrize("path", [images._by_bytes, images._by_floats])
@pytest.mark.parametrize("side", [56, 224, 448])
def test_to_within_two_grey_levels_of_pillow(path, side):
    planes = path(torch.from_numpy(NOISE).permute(0, 3, 1, 2), side, side)
    ours = planes.permute(0, 2, 3, 1).numpy().astype(int)
    for mine, frame in zip(ours, NOISE, strict=True):
        difference = np.abs(mine - pillow(frame, side))
        assert difference.max() <= 2 and difference.mean() < 0.1


def test_a_frame_of_the_right_size_is_left_alone():
    frames = torch.from_numpy(NOISE)
    assert resize(frames, 200, 180) is frames


def test_the_middle_of_the_frame():
    middle = square(torch.from_numpy(NOISE), 90, area=0.25)[0].numpy().astype(int)
    assert np.abs(middle - pillow(NOISE[0][50:150, 45:135], 90)).max() <= 2


def test_standardised_channel_by_channel():
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
    found = standardise(torch.from_numpy(NOISE), mean, std)
    expected = (NOISE / 255 - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(found.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)
