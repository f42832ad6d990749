"""Every backbone against transformers' own forward pass, on tiny checkpoints of its true class."""

from __future__ import annotations

import shutil

import pytest
import torch
import transformers
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from tests.models import tiny
from tests.models.build import HEAD_ONLY, INSTRUCTIONS, adapted, frames, targets, vla
from vlm4vla.core.errors import MissingAsset, OutOfRange, UnknownName
from vlm4vla.models.config import PARTS, LoRA, Setup
from vlm4vla.models.manifest import CheckpointMismatch
from vlm4vla.models.registry import backbone_class
from vlm4vla.models.vla import trained

NAMES = list(tiny.CONFIGS)
QWEN = [name for name in NAMES if name.startswith("qwen")]
UNUSED = 511
"""A token that no prompt holds: it lends its embedding to the ActionQuery."""


def ids(model, text):
    return model.backbone.tokenizer(text, add_special_tokens=False)["input_ids"]


def hidden(model, images, instructions):
    with torch.no_grad():
        return model.states(model.prepare(images, instructions)).last


def native(model, image, prompt, **more):
    """What transformers itself makes of one picture and token ids that end with the ActionQuery."""
    kind = getattr(transformers, type(model.backbone.model).__name__)
    inner = kind.from_pretrained(model.config.source).eval()
    tokens = torch.tensor([[*prompt, UNUSED]])
    with torch.no_grad():
        row = inner.get_input_embeddings().weight[UNUSED]
        row.copy_(model.query / getattr(inner.get_input_embeddings(), "scalar_embed_scale", 1.0))
        out = getattr(inner, "model", inner)(
            input_ids=tokens, attention_mask=torch.ones_like(tokens), **image, **more
        )
    states = out.hidden_states[-1] if out.get("hidden_states") else out.last_hidden_state
    return states[:, -1]


@pytest.mark.parametrize("name", QWEN)
@pytest.mark.parametrize("resized", [False, True])
def test_qwen_is_what_transformers_computes(name, resized, checkpoints):
    side = 100 if resized else 56 if name == "qwen2.5vl-3b" else 64
    model = vla(name, checkpoints[name], image_size=side)
    image = frames(1, side)
    config = model.backbone.model.config
    mean, std = model.backbone.mean, model.backbone.std
    processor = Qwen2VLImageProcessorPil(
        patch_size=config.vision_config.patch_size,
        min_pixels=tiny.OPTIONS[name]["min_pixels"],
        image_mean=mean,
        image_std=std,
    )
    seen = processor(images=[Image.fromarray(image[0])], return_tensors="pt")
    count = int(seen["image_grid_thw"].prod()) // 4
    before = ids(
        model,
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        "<|vision_start|>",
    )
    prompt = [
        *before,
        *[config.image_token_id] * count,
        *ids(
            model,
            "<|vision_end|>What action should the robotic arm take to lift it<|im_end|>\n"
            "<|im_start|>assistant\n",
        ),
    ]
    kinds = torch.tensor([[int(t == config.image_token_id) for t in [*prompt, UNUSED]]])
    expected = native(model, dict(seen), prompt, mm_token_type_ids=kinds)
    found = hidden(model, image, ["lift it "])
    # A resize may differ by a grey level; without one the numbers are the same.
    torch.testing.assert_close(found, expected, atol=0.03 if resized else 2e-5, rtol=0)
    positions, _ = model.backbone.model.model.get_rope_index(
        torch.tensor([[*prompt, UNUSED]]), kinds, image_grid_thw=seen["image_grid_thw"]
    )
    grid = int(seen["image_grid_thw"][0, 1]) // 2
    own = model.backbone.positions(
        len(before), grid, len(prompt) + 1 - len(before) - count, torch.device("cpu")
    )
    assert torch.equal(own, positions)


@pytest.mark.parametrize("name", ["paligemma-1", "paligemma-2"])
@pytest.mark.parametrize("attention", ["native", "image", "causal"])
def test_paligemma_is_what_transformers_computes(name, attention, checkpoints):
    model = vla(name, checkpoints[name], setup=Setup(attention=attention))
    image = frames(1, 56)
    seen = SiglipImageProcessorPil(size={"height": 56, "width": 56})(
        images=[Image.fromarray(image[0])], return_tensors="pt"
    )
    text = ids(model, "<bos>lift it\n")
    config = model.backbone.model.config
    prompt = [config.image_token_id] * 16 + text
    causal = {"native": len(prompt), "image": 16, "causal": 0}[attention]
    kinds = torch.tensor([[int(place >= causal) for place in range(len(prompt) + 1)]])
    expected = native(model, dict(seen), prompt, token_type_ids=kinds)
    found = hidden(model, image, ["lift it"])
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_kosmos_is_what_transformers_computes(checkpoints):
    model = vla("kosmos-2", checkpoints["kosmos-2"])
    image = frames(1, 56)
    seen = CLIPImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}
    )(images=[Image.fromarray(image[0])], return_tensors="pt")  # fmt: skip
    prompt = [
        *ids(model, "<s><image>"),
        *range(20, 28),  # any tokens but padding: the latents take their places
        *ids(model, "</image><phrase>lift it\n</phrase>"),
    ]
    places = torch.tensor([[int(2 <= place < 10) for place in range(len(prompt) + 1)]])
    expected = native(
        model, dict(seen), prompt, image_embeds_position_mask=places, output_hidden_states=True
    )
    torch.testing.assert_close(hidden(model, image, ["lift it"]), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_padding_never_changes_an_action(name, checkpoints):
    model = vla(name, checkpoints[name])
    images = frames(3)
    together = model.predict(images, INSTRUCTIONS)
    alone = [model.predict(images[i : i + 1], INSTRUCTIONS[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)
    states = hidden(model, images, INSTRUCTIONS)
    apart = torch.cat([hidden(model, images[i : i + 1], INSTRUCTIONS[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(states, apart, atol=1e-5, rtol=0)
    assert (states[0] - states[1]).abs().max() > 0.1  # and yet the instruction and picture matter


@pytest.mark.parametrize("name", NAMES)
def test_flat_positions_count_padding_and_say_so(name, checkpoints):
    model = vla(name, checkpoints[name], setup=Setup(mrope="flat"))
    assert not model.config.batch_independent
    images = frames(3)
    together = hidden(model, images, INSTRUCTIONS)
    alone = hidden(model, images[2:], INSTRUCTIONS[2:])
    longest = hidden(model, images[1:2], INSTRUCTIONS[1:2])
    assert (together[2:] - alone).abs().max() > 1e-3
    torch.testing.assert_close(together[1:2], longest, atol=1e-5, rtol=0)
    inputs = model.prepare(images, INSTRUCTIONS)
    assert len(set(inputs["query"].tolist())) == 1  # behind the longest prompt, for all


@pytest.mark.parametrize("name", NAMES)
def test_the_query_is_the_last_real_token(name, checkpoints):
    model = vla(name, checkpoints[name])
    inputs = model.prepare(frames(3), INSTRUCTIONS)
    last = inputs["mask"].sum(1) - 1
    assert torch.equal(inputs["query"], last)
    before = hidden(model, frames(3), INSTRUCTIONS)
    with torch.no_grad():
        model.query.normal_()
    assert ((hidden(model, frames(3), INSTRUCTIONS) - before).abs().amax(1) > 1e-3).all()


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_stays_within_its_tolerance(name, checkpoints):
    images = frames(3)
    exact = vla(name, checkpoints[name]).predict(images, INSTRUCTIONS)[..., :6]
    rough = vla(name, checkpoints[name], torch.bfloat16).predict(images, INSTRUCTIONS)[..., :6]
    assert (exact - rough).abs().max() < 0.05  # docs/models.md says so
    assert (exact - rough).abs().max() > 0


def gradients(model):
    model.train()
    actions = torch.rand(3, 3, 7) * 2 - 1
    out = model.loss(model.prepare(frames(3), INSTRUCTIONS), targets(actions))
    out["loss"].backward()
    return {n: p.grad is not None and bool(p.grad.any()) for n, p in model.named_parameters()}


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_trained_gets_a_gradient(name, checkpoints):
    model = vla(name, checkpoints[name])
    reached = gradients(model)
    silent = {n for n, _ in trained(model) if not reached[n]}
    # An expert that no token chose and the bias of a key under softmax move nothing.
    assert {n for n in silent if "experts" not in n and "k_proj.bias" not in n} == set()
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert all("lm_head" in n for n in frozen)


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_disjoint_and_freeze(name, checkpoints):
    model = vla(name, checkpoints[name])
    parts = {p: {id(x) for x in model.backbone.part(p)} for p in PARTS}
    every = [x for ids_ in parts.values() for x in ids_]
    assert len(every) == len(set(every)) and all(parts.values())
    unused = {id(p) for n, p in model.backbone.named_parameters() if "lm_head" in n}
    assert set(every) >= {id(p) for p in model.backbone.parameters()} - unused
    frozen = vla(name, checkpoints[name], trained={"vision": "none", "word_embeddings": "none"})
    moved = {n for n, on in gradients(frozen).items() if on}
    for part in ("vision", "word_embeddings"):
        still = {id(p) for p in frozen.backbone.part(part)}
        assert not any(n in moved for n, p in frozen.named_parameters() if id(p) in still)
    assert any(n.startswith("backbone.") for n in moved) and "query" in moved
    projecting = {id(p) for p in frozen.backbone.part("projector")}
    assert any(n in moved for n, p in frozen.named_parameters() if id(p) in projecting)


@pytest.mark.parametrize("name", NAMES)
def test_all_but_the_head_can_be_frozen(name, checkpoints):
    model = vla(name, checkpoints[name], trained=HEAD_ONLY)
    moved = {n.partition(".")[0] for n, on in gradients(model).items() if on}
    assert moved == {"query", "decoder"}


@pytest.mark.parametrize("name", NAMES)
def test_lora_trains_the_language_models_projections_alone(name, checkpoints):
    model = vla(name, checkpoints[name], trained=adapted(2))
    names = {n for n, _ in trained(model) if n.startswith("backbone.")}
    assert names and all(".lora_" in n and "vision" not in n and "visual" not in n for n in names)
    reached = gradients(model)
    assert all(reached[n] for n in names if ".lora_B." in n)  # A waits for B to leave zero


@pytest.mark.parametrize("name", ["qwen3vl-4b", "paligemma-1"])
def test_each_part_can_be_trained_in_a_way_of_its_own(name, checkpoints):
    """Adapters on vision begin as the identity; the language model is whole, words stand still."""
    plain = vla(name, checkpoints[name])
    ways = {"vision": LoRA(rank=2), "projector": "none", "word_embeddings": "none"}
    model = vla(name, checkpoints[name], trained=ways)
    # Adapters draw numbers before query and decoder do.
    own = {n: t for n, t in plain.state_dict().items() if not n.startswith("backbone.")}
    model.load_state_dict(own, strict=False)
    before = plain.predict(frames(3), INSTRUCTIONS)
    assert torch.equal(model.predict(frames(3), INSTRUCTIONS), before)
    names = {n.removeprefix("backbone.") for n, _ in trained(model) if n.startswith("backbone.")}
    adapters = {n for n in names if ".lora_" in n}
    assert adapters and all("visi" in n or "visual" in n for n in adapters)
    whole = {id(p) for p in model.backbone.part("language")}
    assert {id(p) for n, p in model.backbone.named_parameters() if n in names - adapters} == whole
    reached = gradients(model)
    assert all(reached[f"backbone.{n}"] for n in adapters if ".lora_B." in n)


@pytest.mark.parametrize("name", NAMES)
def test_from_scratch_keeps_the_architecture_only(name, checkpoints):
    torch.manual_seed(5)
    kind, setup = backbone_class(name), Setup(options=tiny.OPTIONS[name])
    trained_, fresh = (kind.load(checkpoints[name], setup, scratch=s) for s in (False, True))
    shapes = [{n: tuple(p.shape) for n, p in m.named_parameters()} for m in (trained_, fresh)]
    assert shapes[0] == shapes[1]
    assert not torch.equal(trained_.embeddings.weight, fresh.embeddings.weight)


def test_the_short_prompt_is_the_papers_second_scheme(checkpoints):
    model = vla("qwen3vl-4b", checkpoints["qwen3vl-4b"], setup=Setup(options={"prompt": "short"}))
    inputs = model.prepare(frames(1), ["pick up cube"])
    decode = model.backbone.tokenizer.decode
    assert decode(inputs["before"][0]) == "<|im_start|><|vision_start|>"
    assert decode(inputs["after"][0, :-1]) == "<|vision_end|>pick up cube\n"


def test_kosmos_reads_the_published_codes_layout(checkpoints):
    options = {"image": "first", "phrase": "p"}
    model = vla("kosmos-2", checkpoints["kosmos-2"], setup=Setup(options=options))
    inputs = model.prepare(frames(1), ["pick up cube"])
    assert inputs["before"].shape == (1, 0)
    assert model.backbone.tokenizer.decode(inputs["after"][0, :-1]) == (
        "<s><s><image><image_pad></image><p>pick up cube\n</p></s>"
    )
    assert hidden(model, frames(1), ["pick up cube"]).isfinite().all()


def test_deepstack_can_be_left_out(checkpoints):
    with_, without = (
        hidden(
            vla("qwen3vl-4b", checkpoints["qwen3vl-4b"], setup=Setup(options=o)), frames(1), ["go"]
        )
        for o in ({}, {"deepstack": False})
    )
    assert (with_ - without).abs().max() > 1e-3
    model = vla("qwen3vl-4b", checkpoints["qwen3vl-4b"], setup=Setup(options={"deepstack": False}))
    reached = gradients(model)
    assert all(reached[name] for name, _ in trained(model))


def test_qwen_enlarges_small_frames_as_its_processor_does(checkpoints):
    for name, side in (("qwen2.5vl-3b", 448), ("qwen3vl-4b", 448)):
        backbone = backbone_class(name).load(checkpoints[name], Setup())
        assert backbone.side(224) == side
    assert backbone.side(512) == 512 and backbone.side(768) == 768


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty download cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_weights_that_were_downloaded_are_found_by_their_id(checkpoints, hub):
    """As `hf download` leaves them, without a connection."""
    kind, setup = backbone_class("kosmos-2"), Setup()
    with pytest.raises(MissingAsset, match="nothing is fetched unasked") as caught:
        kind.load("microsoft/kosmos-2-patch14-224", setup)
    assert caught.value.fix == "hf download microsoft/kosmos-2-patch14-224"
    place = hub / "models--microsoft--kosmos-2-patch14-224"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("a" * 40)
    shutil.copytree(checkpoints["kosmos-2"], place / "snapshots" / ("a" * 40))
    found = kind.load("microsoft/kosmos-2-patch14-224", setup)
    again = kind.load(checkpoints["kosmos-2"], setup)
    assert torch.equal(found.embeddings.weight, again.embeddings.weight)


def test_what_cannot_be_used_is_refused(checkpoints, hub):
    qwen, gemma = backbone_class("qwen3vl-4b"), backbone_class("paligemma-1")
    with pytest.raises(CheckpointMismatch, match="qwen3_vl, not a paligemma"):
        gemma.load(checkpoints["qwen3vl-4b"], Setup())
    with pytest.raises(MissingAsset) as missing:
        qwen.load("Qwen/never-fetched-here", Setup())
    assert missing.value.fix == "hf download Qwen/never-fetched-here"
    with pytest.raises(UnknownName, match="min_pixels"):
        qwen.load(checkpoints["qwen3vl-4b"], Setup(options={"min_pixel": 3}))
    with pytest.raises(UnknownName, match="no prompt of Qwen3VL named"):
        qwen.load(checkpoints["qwen3vl-4b"], Setup(options={"prompt": "middling"}))
    with pytest.raises(OutOfRange):
        qwen.load(checkpoints["qwen3vl-4b"], Setup(options={"min_pixels": 0}))


def test_weights_that_are_missing_are_not_made_up(checkpoints, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "torn"
    folder.mkdir()
    for path in checkpoints["qwen3vl-4b"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    state = load_file(folder / "model.safetensors")
    dropped = next(name for name in state if name.endswith("mlp.up_proj.weight"))
    del state[dropped]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    kind = backbone_class("qwen3vl-4b")
    with pytest.raises(CheckpointMismatch, match="missing"):
        kind.load(folder, Setup())
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingAsset):
        kind.load(folder, Setup())
