"""Likelihoods of labels against transformers' own forward pass, on tiny checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vlm4vla.core.errors import BadInput, MissingAsset, UnknownName
from vlm4vla.models import images as pictures
from vlm4vla.models.likelihood import LabelReader

LABEL = "lift the red block"


def images(count=3):
    return np.random.default_rng(5).integers(0, 256, (count, 224, 224, 3), np.uint8)


def pixels(reader, frames):
    side = reader.backbone.model.config.vision_config.image_size
    small = pictures.resize(torch.from_numpy(frames), side, side)
    return pictures.standardise(small, reader.backbone.mean, reader.backbone.std)


def expected(logits, answer):
    """Sum of the log probabilities of the last tokens, each predicted by the one before."""
    each = logits[:, -len(answer) - 1 : -1].log_softmax(-1)
    return each.gather(-1, torch.tensor([answer])[..., None].expand(len(each), -1, 1)).sum((1, 2))


def test_paligemma_reads_its_question_both_ways_and_its_answer_causally(checkpoints):
    for name in ("paligemma-1", "paligemma-2"):
        reader = LabelReader.load(name, "what is it?", checkpoints[name])
        inner, tokens = reader.backbone.model, reader.backbone.tokens
        frames, answer = images(2), tokens(LABEL)
        prompt = [inner.config.image_token_id] * 16 + tokens("<bos>answer en what is it?\n")
        ids = torch.tensor([prompt + answer] * 2)
        kinds = torch.tensor([[0] * len(prompt) + [1] * len(answer)] * 2)
        with torch.no_grad():
            logits = inner(
                input_ids=ids, pixel_values=pixels(reader, frames), token_type_ids=kinds,
                attention_mask=torch.ones_like(ids),
            ).logits  # fmt: skip
        np.testing.assert_allclose(reader(frames, LABEL), expected(logits, answer), atol=2e-4)


def test_qwen_sees_the_picture_where_it_was_trained_to(checkpoints):
    reader = LabelReader.load("qwen3vl-4b", "what is it?", checkpoints["qwen3vl-4b"])
    inner, tokens = reader.backbone.model, reader.backbone.tokens
    frames, answer = images(1), tokens(LABEL)
    patches, grid = reader.backbone.patches(torch.from_numpy(frames))
    before = tokens("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
                    "<|im_start|>user\n<|vision_start|>")  # fmt: skip
    after = tokens("<|vision_end|>what is it?<|im_end|>\n<|im_start|>assistant\n")
    image = [inner.config.image_token_id] * (grid * grid // 4)
    ids = torch.tensor([before + image + after + answer])
    with torch.no_grad():
        logits = inner(
            input_ids=ids, pixel_values=patches, image_grid_thw=torch.tensor([[1, grid, grid]]),
            mm_token_type_ids=(ids == image[0]).long(), attention_mask=torch.ones_like(ids),
        ).logits  # fmt: skip
    np.testing.assert_allclose(reader(frames, LABEL), expected(logits, answer), atol=2e-4)


def test_kosmos_answers_behind_its_latents(checkpoints):
    reader = LabelReader.load("kosmos-2", "what is it?", checkpoints["kosmos-2"])
    inner, tokens = reader.backbone.model, reader.backbone.tokens
    frames, answer = images(2), tokens(LABEL)
    latents = inner.config.latent_query_num
    ids = [*tokens("<s><image>"), *range(20, 20 + latents),
           *tokens("</image>Question: what is it? Answer:"), *answer]  # fmt: skip
    places = [[int(2 <= i < 2 + latents) for i in range(len(ids))]] * 2
    with torch.no_grad():
        logits = inner(
            pixel_values=pixels(reader, frames), input_ids=torch.tensor([ids] * 2),
            image_embeds_position_mask=torch.tensor(places),
            attention_mask=torch.ones(2, len(ids), dtype=torch.long),
        ).logits  # fmt: skip
    np.testing.assert_allclose(reader(frames, LABEL), expected(logits, answer), atol=2e-4)


@pytest.mark.parametrize("name", ["paligemma-1", "kosmos-2"])
def test_each_picture_is_read_for_itself(name, checkpoints):
    reader = LabelReader.load(name, "what is it?", checkpoints[name])
    frames = images()
    together = reader(frames, LABEL)
    assert together.shape == (3,) and np.all(together < 0)
    assert len(set(together)) == 3, "different pictures make a difference"
    alone = [reader(frames[i : i + 1], LABEL)[0] for i in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_mistakes_are_named(checkpoints, tmp_path):
    with pytest.raises(UnknownName):
        LabelReader.load("qwen4vl", "what is it?", checkpoints["kosmos-2"])
    with pytest.raises(BadInput, match="no text output"):
        LabelReader.load("toy", "what is it?", checkpoints["kosmos-2"])
    with pytest.raises(MissingAsset):
        LabelReader.load("kosmos-2", "what is it?", tmp_path)
    with pytest.raises(BadInput, match="device"):
        LabelReader.load("kosmos-2", "what is it?", checkpoints["kosmos-2"], device="tpu:9")
    with pytest.raises(BadInput, match="no tokens"):
        LabelReader.load("kosmos-2", "what is it?", checkpoints["kosmos-2"])(images(1), "")


def test_what_is_asked_is_the_studys_to_say(checkpoints):
    with pytest.raises(TypeError, match="question"):
        LabelReader.load("kosmos-2", source=checkpoints["kosmos-2"])
