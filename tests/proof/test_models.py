"""Weights, losses, gradients and actions of the tiny backbones and the small VLA are unmoved."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")

from tests.proof import cases
from tests.proof.golden import check, read, same_machine

BACKBONES = read("backbones")
TRAINING = read("training")
SMALL = read("small")


@pytest.mark.parametrize("variant", list(cases.VARIANTS))
def test_a_backbone_computes_what_it_did(variant, tmp_path):
    exact = same_machine(BACKBONES["machine"])
    found = cases.backbone_numbers(variant, tmp_path / "backbone")
    expected = BACKBONES["variants"][variant]
    if not exact:  # a hash over hashes
        expected.pop("weights"), found.pop("weights")
    check(expected, found, exact=exact)


@pytest.mark.parametrize("name", list(cases.TRAININGS))
def test_a_training_goes_the_same_way(name, tmp_path, demonstrations, checkpoints):
    found = cases.training_numbers(name, tmp_path / "training", demonstrations, checkpoints)
    check(TRAINING["trainings"][name], found, exact=same_machine(TRAINING["machine"]))


@pytest.mark.parametrize("name", ["pretrained", "scratch"])
def test_the_small_vla_learns_the_same(name, tmp_path, demonstrations):
    found = cases.small_numbers(name == "scratch", tmp_path, demonstrations)
    check(SMALL[name], found, exact=same_machine(SMALL["machine"]))


def test_nothing_was_left_out():
    assert list(BACKBONES["variants"]) == list(cases.VARIANTS)
    assert list(TRAINING["trainings"]) == list(cases.TRAININGS)


def test_the_numbers_were_worth_comparing():
    """Every variant differs from every other, and its gradients are not all zero."""
    losses = [tuple(v["losses"].values()) for v in BACKBONES["variants"].values()]
    assert len(set(losses)) >= len(losses) - 2  # LoRA and freezing begin where the others do
    for numbers in (*BACKBONES["variants"].values(), SMALL["pretrained"], SMALL["scratch"]):
        norms = [gradient["norm"] for gradient in numbers["gradients"].values()]
        assert sum(norm > 0 for norm in norms) > 0.6 * len(norms) > 0
    for training in TRAINING["trainings"].values():
        told = [line["loss"] for line in training["metrics"]]
        assert len(set(told)) == len(told) >= 3
