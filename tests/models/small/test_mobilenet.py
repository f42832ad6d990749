"""MobileNetV2 written down again, and the weights that ship in a package."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from vlm4vla.core.errors import MissingDependency
from vlm4vla.models import images as pictures
from vlm4vla.models.small import mobilenet
from vlm4vla.models.small.mobilenet import DEVIATION, MEAN, MobileNetV2, Trunk


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
    """ImageNet classes 948 and 953: `Granny Smith` and `pineapple`; random weights know neither."""
    from vlm4vla.simulators.grinningface import art

    frames = []
    for code in ("1F34F", "1F34D"):
        face = Image.fromarray(art.face(code, "noto")).resize((224, 224))
        frames.append(np.asarray(face))
    images = pictures.standardise(torch.from_numpy(np.stack(frames)), MEAN, DEVIATION)
    with torch.no_grad():
        logits = pretrained(images)
    assert logits[0, 948] > logits[1, 948]
    assert logits[1].argmax() == 953


def test_the_trunk_is_the_networks_own_beginning(pretrained):
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        fine, coarse = Trunk(pretrained)(image)
        whole = pretrained.features[:7](image)
    assert torch.allclose(fine, whole, atol=1e-5)
    assert fine.shape == (1, Trunk.FINE, 8, 12)
    assert coarse.shape == (1, Trunk.COARSE, 4, 6)
