"""MobileNetV2 written down again, and the weights that ship in a package."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from vlm4vla.core.errors import MissingDependency
from vlm4vla.models import images as pictures
from vlm4vla.studies.emoji.network import mobilenet
from vlm4vla.studies.emoji.network.mobilenet import DEVIATION, MEAN, MobileNetV2, Trunk


@pytest.fixture(scope="module")
def pretrained() -> MobileNetV2:
    try:
        mobilenet.imagenet_weights()
    except MissingDependency as missing:
        pytest.skip(str(missing))
    network = MobileNetV2()
    mobilenet.load_imagenet(network)
    return network.eval()


def test_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in MobileNetV2().parameters()) == 3_504_872


def test_pretrained_weights_fit_strictly_and_each_changes_the_network(pretrained):
    state = torch.load(mobilenet.imagenet_weights(), map_location="cpu", weights_only=True)
    own = pretrained.state_dict()
    assert set(state) == set(own)
    assert all(torch.equal(own[name], tensor) for name, tensor in state.items())


def test_a_missing_tensor_is_refused(tmp_path, monkeypatch, pretrained):
    state = pretrained.state_dict()
    state.pop("features.7.conv.0.0.weight")
    torch.save(state, tmp_path / "weights.pth")
    monkeypatch.setattr(mobilenet, "imagenet_weights", lambda: tmp_path / "weights.pth")
    with pytest.raises(RuntimeError, match=r"features\.7\.conv\.0\.0\.weight"):
        mobilenet.load_imagenet(MobileNetV2())


def test_pretrained_weights_know_an_emoji_for_what_it_shows(pretrained):
    """Each among the ten likeliest of ImageNet's thousand classes: a wrong layer loses them all."""
    from vlm4vla.simulators.grinningface import art

    shown = {"1F69C": 866, "1F34F": 948, "1F941": 541, "1F3B8": 402}
    """Tractor, Granny Smith, drum, acoustic guitar."""
    frames = [
        np.asarray(Image.fromarray(art.face(code, "noto")).resize((224, 224))) for code in shown
    ]
    images = pictures.standardise(torch.from_numpy(np.stack(frames)), MEAN, DEVIATION)
    with torch.no_grad():
        logits = pretrained(images)
    ranks = [int((row > row[k]).sum()) for row, k in zip(logits, shown.values(), strict=True)]
    assert max(ranks) < 10, ranks


def test_the_trunk_is_the_networks_own_beginning(pretrained):
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        fine, coarse = Trunk(pretrained)(image)
        whole = pretrained.features[:7](image)
    assert torch.allclose(fine, whole, atol=1e-5)
    assert fine.shape == (1, Trunk.FINE, 8, 12)
    assert coarse.shape == (1, Trunk.COARSE, 4, 6)
