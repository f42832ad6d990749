"""A checkpoint's backbone as transformers itself reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers

from tests.models import tiny
from tests.models.build import adapted, config, frames, vla
from tests.models.test_checkpoint import shaken
from vlm4vla.core.errors import BadInput, MissingAsset
from vlm4vla.models import checkpoint
from vlm4vla.models.export import export
from vlm4vla.models.likelihood import LabelReader
from vlm4vla.models.manifest import EXPORTED
from vlm4vla.models.vla import VLA


def plain(folder: Path, name: str) -> torch.nn.Module:
    kind = getattr(transformers, f"{tiny.CONFIGS[name][0]}ForConditionalGeneration")
    model, told = kind.from_pretrained(folder, dtype="auto", output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    return model.eval()


def logits(model: torch.nn.Module) -> torch.Tensor:
    ids = torch.tensor([tiny.tokenizer()("pick up the red block")["input_ids"]])
    with torch.no_grad():
        return model(input_ids=ids).logits


@pytest.mark.parametrize("name", ["qwen3vl-4b", "paligemma-2"])
@pytest.mark.parametrize("how", ["full", "lora"])
def test_transformers_runs_what_training_made(name, how, checkpoints, tmp_path):
    source = checkpoints[name]
    model = shaken(vla(name, source, **({"trained": adapted(4)} if how == "lora" else {})))
    if how == "lora":  # as after training: B no longer zero
        with torch.no_grad():
            for n, p in model.named_parameters():
                if ".lora_B" in n:
                    p.normal_(std=0.3)
    written = checkpoint.save(model, tmp_path / "ckpt")
    facts = export(tmp_path / "ckpt", tmp_path / "out")
    assert facts.checkpoint == written.digest and facts.backbone == name
    assert json.loads((tmp_path / "out" / EXPORTED).read_text())["base"] == str(source)
    inner = model.backbone.model
    exported = plain(tmp_path / "out", name)
    torch.testing.assert_close(logits(exported), logits(inner), atol=2e-5, rtol=1e-4)
    difference = (logits(exported) - logits(plain(source, name))).abs().max()
    assert difference > 1e-3, "training changed what it says"


def test_an_exported_model_is_asked_as_its_base_is(checkpoints, tmp_path):
    """Forgetting on a real, if tiny, model: the same questions before and after."""
    name = "kosmos-2"
    model = shaken(vla(name, checkpoints[name]))
    checkpoint.save(model, tmp_path / "ckpt")
    export(tmp_path / "ckpt", tmp_path / "out")
    before, after = (LabelReader.load(name, "what is it?", place)(frames(3), "red block")
                     for place in (checkpoints[name], tmp_path / "out"))  # fmt: skip
    direct = LabelReader(model.backbone, "what is it?", torch.device("cpu"))
    assert after == pytest.approx(direct(frames(3), "red block"), abs=1e-4)
    assert abs(after - before).max() > 1e-3


def test_the_processor_comes_along_and_the_number_type_stays(checkpoints, tmp_path):
    source = shutil.copytree(checkpoints["qwen3vl-4b"], tmp_path / "source")
    (source / "preprocessor_config.json").write_text("{}")
    stated = json.loads((source / "config.json").read_text()) | {"dtype": "bfloat16"}
    (source / "config.json").write_text(json.dumps(stated))
    model = vla("qwen3vl-4b", source, trained=adapted(2))
    checkpoint.save(model, tmp_path / "ckpt", whole=False)
    facts = export(tmp_path / "ckpt", tmp_path / "out")
    assert "preprocessor_config.json" in facts.processor
    assert facts.dtype == "bfloat16"
    assert plain(tmp_path / "out", "qwen3vl-4b").dtype == torch.bfloat16
    assert (tmp_path / "out" / "preprocessor_config.json").read_text() == "{}"


def test_what_cannot_be_exported_is_refused(checkpoints, tmp_path):
    with pytest.raises(MissingAsset, match="no checkpoint folder"):
        export(tmp_path / "none", tmp_path / "out")
    checkpoint.save(VLA.build(config("toy", "")), tmp_path / "toy")
    with pytest.raises(BadInput, match="no model of the transformers library"):
        export(tmp_path / "toy", tmp_path / "out")
    checkpoint.save(vla("kosmos-2", checkpoints["kosmos-2"]), tmp_path / "ckpt")
    with pytest.raises(BadInput, match="not empty"):
        export(tmp_path / "ckpt", tmp_path / "toy")
