"""The action head: sizes of Table 9, ranges, and which branch says what."""

from __future__ import annotations

import pytest
import torch

from vlm4vla.core.specs import ActionSpec, CameraRequest
from vlm4vla.models.config import VLAConfig
from vlm4vla.models.decoders.config import MLPConfig

MILLIONS = {2048: 6.577, 2304: 7.265, 2560: 8.019, 3584: 11.690, 4096: 13.918}
"""Hidden size -> parameters with chunk 10, recomputed; Table 9 prints 11.6 for 11.690."""
HIDDEN = {
    "qwen2.5vl-3b": 2048, "qwen2.5vl-7b": 3584, "qwen3vl-2b": 2048, "qwen3vl-4b": 2560,
    "qwen3vl-8b": 4096, "qwen3vl-30b-a3b": 2048, "paligemma-1": 2048, "paligemma-2": 2304,
    "kosmos-2": 2048,
}  # fmt: skip


def built(width, chunk):
    conventions = VLAConfig("toy", "", ActionSpec(), (CameraRequest("top", 64, 64),))
    return MLPConfig(chunk=chunk).build(width, conventions)


@pytest.mark.parametrize("backbone", HIDDEN)
def test_parameters_are_those_of_the_paper(backbone):
    with torch.device("meta"):
        head = built(HIDDEN[backbone], 10)
    found = sum(parameter.numel() for parameter in head.parameters())
    assert round(found / 1e6, 3) == MILLIONS[HIDDEN[backbone]]


def test_two_branches_answer_for_the_whole_chunk():
    torch.manual_seed(0)
    head = built(64, 5)
    arm, gripper = head(100 * torch.randn(3, 64))
    assert arm.shape == (3, 5, 6) and gripper.shape == (3, 5)
    assert arm.abs().max() <= 1 < gripper.abs().max()
    gripper.sum().backward()
    assert all(p.grad is None for p in head.arm.parameters())
    assert all(p.grad is not None for p in [*head.trunk.parameters(), *head.gripper.parameters()])


def test_weights_begin_as_published():
    torch.manual_seed(0)
    head = built(512, 10)
    first = head.trunk[0]
    bound = (6 / (512 + 256)) ** 0.5  # Xavier uniform
    assert 0.99 * bound < first.weight.abs().max() <= bound and not first.bias.any()


def test_the_speed_benchmarks_big_model_is_the_real_shape():
    """Table 9: 4437 M for Qwen3-VL-4B."""
    import transformers

    from tests.perf.adapter import shape_of_4b

    with torch.device("meta"):
        model = transformers.Qwen3VLForConditionalGeneration(shape_of_4b())
    assert sum(p.numel() for p in model.parameters()) // 10**6 == 4437
