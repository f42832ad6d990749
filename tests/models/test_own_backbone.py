"""The example of docs/add_a_backbone.md: a backbone of the user's own, held to the same rules."""

from __future__ import annotations

import re
from pathlib import Path

import torch
import transformers

from tests.models import tiny
from tests.models.build import INSTRUCTIONS, adapted, frames, targets, vla
from vlm4vla.models import checkpoint
from vlm4vla.models.vla import trained

DOCS = Path(__file__).parents[2] / "docs" / "add_a_backbone.md"
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)


def source(folder):
    text = {**tiny._text(), "num_hidden_layers": 2, "sliding_window": 64, "bos_token_id": 4}
    vision = {
        "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 14, "image_size": 56,
        "vision_use_head": False,
    }  # fmt: skip
    config = transformers.Gemma3Config(
        text_config=text, vision_config=vision, mm_tokens_per_image=4
    )
    torch.manual_seed(0)
    transformers.Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


def test_gemma_as_documented(tmp_path, monkeypatch):
    (tmp_path / "my_backbone.py").write_text(EXAMPLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "my_backbone:Gemma3"
    model = vla(name, source(tmp_path / "source"), trained=adapted(2))
    images = frames(3)
    together = model.predict(images, INSTRUCTIONS)
    alone = [model.predict(images[i : i + 1], INSTRUCTIONS[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)
    model.train()
    model.loss(model.prepare(images, INSTRUCTIONS), targets(torch.rand(3, 3, 7)))["loss"].backward()
    assert any(".lora_B." in n and bool(p.grad.any()) for n, p in trained(model))
    checkpoint.save(model, tmp_path / "ckpt")
    again = checkpoint.load(tmp_path / "ckpt")
    assert torch.equal(again.predict(images, INSTRUCTIONS), together)
