"""What is compared with the words: the patch's features, and its colours cell by cell."""

from __future__ import annotations

import pytest
import torch

from vlm4vla.studies.emoji.network.fusion import COLOURS, Alignment


def test_a_patch_knows_the_colour_of_each_of_its_cells():
    """One lit cell of stride 8 lights one number of every patch that covers it, each elsewhere."""
    features = torch.zeros(1, 5, 4, 6)
    pixels = torch.zeros(1, 3, 64, 96)
    pixels[:, 1, 24:32, 40:48] = 1.0  # cell (3, 5), in the middle of patch (1, 2)
    near = Alignment.neighbourhoods(features, pixels)
    assert near.shape == (1, 4, 6, 5 + COLOURS)
    colours = near[0, ..., 5:].reshape(4, 6, 3, 6, 6)
    lit = {tuple(index) for index in colours.nonzero().tolist()}
    assert lit == {
        (row, column, 1, 3 - 2 * row + 2, 5 - 2 * column + 2)
        for row in (0, 1, 2)
        for column in (1, 2, 3)
    }


def test_features_are_the_mean_of_the_neighbourhood():
    features = torch.arange(12.0).reshape(1, 1, 3, 4)
    near = Alignment.neighbourhoods(features, torch.zeros(1, 3, 48, 64))
    assert near[0, 1, 1, 0] == pytest.approx(features[0, 0, :3, :3].mean())
    assert near[0, 0, 0, 0] == pytest.approx(features[0, 0, :2, :2].mean())


def test_pictures_whose_sides_are_no_multiples_of_sixteen_have_all_patches():
    near = Alignment.neighbourhoods(torch.zeros(2, 7, 3, 5), torch.rand(2, 3, 41, 75))
    assert near.shape == (2, 3, 5, 7 + COLOURS)
