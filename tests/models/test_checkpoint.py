"""Checkpoints: the same actions before and after, and every mismatch refused."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from tests.models import tiny
from tests.models.build import HEAD_ONLY, INSTRUCTIONS, adapted, frames, vla
from vlm4vla.core.errors import BadInput, InvalidFile, MissingAsset, UnknownName
from vlm4vla.models import checkpoint, manifest
from vlm4vla.models.config import Setup
from vlm4vla.models.manifest import CheckpointMismatch
from vlm4vla.models.vla import trained


def shaken(model):
    """As if it had been trained."""
    with torch.no_grad():
        for _, parameter in trained(model):
            parameter.add_(0.01 * torch.randn_like(parameter))
    return model


def actions(model):
    return model.predict(frames(3), INSTRUCTIONS)


@pytest.mark.parametrize("name", list(tiny.CONFIGS))
def test_a_fully_trained_model_needs_nothing_but_its_folder(name, checkpoints, tmp_path):
    source = shutil.copytree(checkpoints[name], tmp_path / "source")
    model = shaken(vla(name, source))
    written = checkpoint.save(model, tmp_path / "ckpt", training={"steps": 3})
    assert written.whole and written == manifest.read(tmp_path / "ckpt")
    shutil.rmtree(source)
    again = checkpoint.load(tmp_path / "ckpt")
    assert torch.equal(actions(again), actions(model)) and again.config == model.config


CHANGES = {
    "lora": {"trained": adapted(2)},
    "head": {"trained": HEAD_ONLY},
    "language": {"trained": {**HEAD_ONLY, "language": "full"}},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", ["qwen3vl-4b", "kosmos-2"])
def test_partly_trained_models(name, change, whole, checkpoints, tmp_path):
    model = shaken(vla(name, checkpoints[name], **CHANGES[change]))
    checkpoint.save(model, tmp_path / "ckpt", whole=whole)
    assert torch.equal(actions(checkpoint.load(tmp_path / "ckpt")), actions(model))
    has = (tmp_path / "ckpt" / "backbone" / "model.safetensors").exists()
    assert has == whole


def test_lora_is_small_by_default(checkpoints, tmp_path):
    model = vla("qwen3vl-4b", checkpoints["qwen3vl-4b"], trained=adapted(2))
    assert not checkpoint.save(model, tmp_path / "ckpt").whole


def test_scratch_is_whole_and_is_not_drawn_again(checkpoints, tmp_path):
    model = vla("paligemma-1", checkpoints["paligemma-1"], scratch=True)
    assert checkpoint.save(model, tmp_path / "ckpt").whole
    assert torch.equal(actions(checkpoint.load(tmp_path / "ckpt")), actions(model))


def test_a_backbone_of_ones_own_by_module_and_class(tmp_path):
    model = shaken(vla("vlm4vla.models.toy:ToyBackbone", ""))
    checkpoint.save(model, tmp_path / "ckpt")
    assert torch.equal(actions(checkpoint.load(tmp_path / "ckpt")), actions(model))


@pytest.fixture
def saved(tmp_path, checkpoints):
    """A checkpoint that keeps the trained parts only."""
    source = shutil.copytree(checkpoints["qwen3vl-4b"], tmp_path / "source")
    model = shaken(vla("qwen3vl-4b", source, trained=HEAD_ONLY))
    checkpoint.save(model, tmp_path / "ckpt")
    return tmp_path / "ckpt"


def test_other_frozen_weights_are_noticed(saved):
    source = saved.parent / "source"
    shutil.rmtree(source)
    tiny.make("qwen3vl-4b", source)
    checkpoint.load(saved)  # the very same weights, made again
    from safetensors.torch import load_file, save_file

    state = load_file(source / "model.safetensors")
    name = next(n for n in state if n.endswith("layers.1.mlp.up_proj.weight"))
    state[name] = -state[name]
    save_file(state, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointMismatch, match="other frozen weights") as caught:
        checkpoint.load(saved)
    assert "source=" in caught.value.fix


def test_frozen_weights_can_be_named_elsewhere(saved):
    moved = (saved.parent / "source").rename(saved.parent / "moved")
    with pytest.raises(MissingAsset):
        checkpoint.load(saved)
    checkpoint.load(saved, source=str(moved))


def test_altered_and_missing_files_are_noticed(saved):
    path = saved / "vla.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointMismatch, match="not the file"):
        checkpoint.load(saved)
    path.unlink()
    with pytest.raises(CheckpointMismatch, match="missing"):
        checkpoint.load(saved)
    with pytest.raises(MissingAsset, match="no checkpoint folder"):
        checkpoint.load(saved / "nowhere")


@pytest.mark.parametrize(
    ("edit", "error", "match"),
    [
        (lambda c: c["config"].update(backbone="kosmos-2"), CheckpointMismatch, "kosmos-2"),
        (lambda c: c["config"]["decoder"].update(chunk=4), CheckpointMismatch, "shape"),
        (lambda c: c["config"]["decoder"].update(chunk="four"), InvalidFile, "decoder.chunk"),
        (lambda c: c["config"]["decoder"].update(chunks=4), InvalidFile, "Did you mean chunk"),
        (lambda c: c["config"]["decoder"].update(kind="mpl"), UnknownName, "mean mlp"),
        (lambda c: c["config"]["formulation"].update(window=2), BadInput, "window"),
        (lambda c: c["config"].update(chunks=4), InvalidFile, "config.chunks"),
        (lambda c: c["config"].update(image_size="224"), InvalidFile, "config.image_size"),
        (lambda c: c["config"]["action"].update(rotation="none"), BadInput, "translation"),
        (lambda c: c["config"].pop("cameras"), InvalidFile, "cameras"),
        (lambda c: c.update(format=3), InvalidFile, "format 3"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(edit, error, match, saved):
    content = json.loads((saved / "vla.json").read_text())
    edit(content)
    (saved / "vla.json").write_text(json.dumps(content))
    with pytest.raises(error, match=match):
        checkpoint.load(saved)


def test_a_manifest_that_is_no_json_is_refused(saved):
    (saved / "vla.json").write_text("{")
    with pytest.raises(InvalidFile, match="cannot be read"):
        manifest.read(saved)


def test_the_digest_is_the_checkpoints_identity(saved, checkpoints, tmp_path):
    first = manifest.read(saved).digest
    model = checkpoint.load(saved)
    assert checkpoint.save(model, tmp_path / "copy").digest == first
    with torch.no_grad():
        model.query.add_(1e-6)
    assert checkpoint.save(model, tmp_path / "copy").digest != first
    flat = vla("qwen3vl-4b", checkpoints["qwen3vl-4b"], setup=Setup(mrope="flat"))
    assert checkpoint.save(flat, tmp_path / "flat").digest != first


def test_a_torn_save_is_no_checkpoint(saved, monkeypatch):
    model = checkpoint.load(saved)
    monkeypatch.setattr(manifest, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(model, saved)
    with pytest.raises(MissingAsset, match="it has no vla"):
        manifest.read(saved)


def test_a_field_that_is_not_there_has_its_default(saved):
    """What a later version adds stays readable, and so does what this one leaves out."""
    before = actions(checkpoint.load(saved))
    content = json.loads((saved / "vla.json").read_text())
    for name in ("formulation", "preset", "execution", "centre_crop"):
        content["config"].pop(name)
    content["config"]["decoder"].pop("arm_loss")
    (saved / "vla.json").write_text(json.dumps(content))
    assert torch.equal(actions(checkpoint.load(saved)), before)
