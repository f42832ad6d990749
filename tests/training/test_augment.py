"""Augmentations do what they are named after, and nothing but it."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from vlm4vla.core.errors import UnknownName
from vlm4vla.training.augment import Augmenter, named


def picture(height=60, width=80) -> np.ndarray:
    """Every pixel tells where it is."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([3 * x, 4 * y, np.full_like(x, 90)], -1).astype(np.uint8)


def apply(frame, seed=0, **how):
    return Augmenter(**how).apply(frame, np.random.default_rng(seed))


def test_shift_moves_the_picture_and_repeats_its_edge():
    seen = set()
    for seed in range(200):
        moved = apply(picture(), seed, shift=5 / 60)
        assert moved.shape == (60, 80, 3)
        dx, dy = 40 - int(moved[30, 40, 0]) / 3, 30 - int(moved[30, 40, 1]) / 4
        seen.add((dx, dy))
        assert abs(dx) <= 5 and abs(dy) <= 5
        inner = moved[10:50, 10:70]
        assert np.array_equal(
            inner, picture()[10 - int(dy) : 50 - int(dy), 10 - int(dx) : 70 - int(dx)]
        )
        assert set(moved[..., 0].ravel()) <= set(picture()[..., 0].ravel())
    assert {dx for dx, _ in seen} == set(range(-5, 6)) == {dy for _, dy in seen}


def test_crop_keeps_the_share_of_the_area_and_no_pixel_is_new():
    corners = set()
    for seed in range(60):
        cut = apply(picture(100, 100), seed, crop=0.9)
        assert cut.shape == (95, 95, 3)
        x, y = int(cut[0, 0, 0]) // 3, int(cut[0, 0, 1]) // 4
        corners.add((x, y))
        whole = picture(100, 100)
        assert np.array_equal(cut, whole[y : y + 95, x : x + 95])
    assert len(corners) > 15


def test_brightness_adds_and_contrast_spreads_about_the_mean():
    frame = np.random.default_rng(0).integers(100, 150, (20, 20, 3)).astype(np.uint8)
    shifts, spreads = [], []
    for seed in range(200):
        moved = apply(frame, seed, brightness=0.2).astype(float) - frame
        assert moved.std() < 0.5
        shifts.append(moved.mean())
        spreads.append(apply(frame, seed, contrast=0.2).std((0, 1)) / frame.std((0, 1)))
    assert -51.5 <= min(shifts) < -35 and 35 < max(shifts) <= 51.5
    assert 0.78 <= np.min(spreads) < 0.9 and 1.1 < np.max(spreads) <= 1.22


def test_hue_turns_and_saturation_scales():
    frame = np.full((4, 4, 3), (200, 80, 60), np.uint8)
    hue, saturation, _ = colorsys.rgb_to_hsv(*(frame[0, 0] / 255))
    turns, scales = [], []
    for seed in range(200):
        h, s, v = colorsys.rgb_to_hsv(*(apply(frame, seed, hue=0.05)[0, 0] / 255))
        turns.append((h - hue + 0.5) % 1 - 0.5)
        assert s == pytest.approx(saturation, abs=0.02) and v == pytest.approx(200 / 255, abs=0.01)
        s = colorsys.rgb_to_hsv(*(apply(frame, seed, saturation=0.2)[0, 0] / 255))[1]
        scales.append(s / saturation)
    assert -0.06 <= min(turns) < -0.035 and 0.035 < max(turns) <= 0.06
    assert 0.78 <= min(scales) < 0.9 and 1.1 < max(scales) <= 1.22


@pytest.mark.parametrize("name", ["none", "shift", "crop", "colour", "openvla"])
def test_the_same_seed_gives_the_same_picture(name):
    one, two = (named(name).apply(picture(), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, two) and one.dtype == np.uint8
    other = named(name).apply(picture(), np.random.default_rng(4))
    assert np.array_equal(one, other) == (name == "none")


def test_unknown_names_are_refused():
    with pytest.raises(UnknownName, match="openvla"):
        named("open-vla")
