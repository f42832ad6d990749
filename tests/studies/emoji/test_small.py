"""The small VLA, end to end on a tiny sentence encoder: learn, save, load, and drive the robot."""

from __future__ import annotations

import csv
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tests.cli.test_replay import bench
from tests.models import tiny
from vlm4vla.core.errors import BadInput, MissingAsset, OutOfRange
from vlm4vla.demonstrations.open import open_demonstrations
from vlm4vla.models import checkpoint
from vlm4vla.models.config import Setup
from vlm4vla.studies.emoji import landing, memory, small
from vlm4vla.studies.emoji.alignment import FACTS
from vlm4vla.studies.emoji.landing import project
from vlm4vla.studies.emoji.network.backbone import MobileNetMiniLM
from vlm4vla.studies.emoji.network.mobilenet import Trunk
from vlm4vla.studies.emoji.network.text import SentenceEncoder
from vlm4vla.suites.grinningface import episodes

STEPS = 4


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """An aligned folder whose sentence encoder has two layers and whose trunk is random."""
    folder = tmp_path_factory.mktemp("aligned")
    tokenizer: PreTrainedTokenizerFast = tiny.tokenizer()
    tokenizer.save_pretrained(folder / "text")
    config = BertConfig(vocab_size=tiny.VOCABULARY, hidden_size=32, num_hidden_layers=2,
                        num_attention_heads=2, intermediate_size=32)  # fmt: skip
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder / "text")
    MobileNetMiniLM(Setup(), SentenceEncoder(folder / "text")).save(folder)
    return folder


@pytest.fixture(scope="session")
def demos(tmp_path_factory):
    """Three real demonstrations, drawn at their first step."""
    out = tmp_path_factory.mktemp("demos")
    bench("demos", "--suite", "grinningface_demos", "--set", "robot=panda", "--episodes", "4",
          "--frames", "1", "--size", "448", "--slots", "1", "--out", out, cwd=out)  # fmt: skip
    return out


def settings(source, demos, out, **more):
    return small.SmallSettings(
        demos, source, out, steps=STEPS, batch=2, warmup=1, held_out=0.25, **more
    )


@pytest.fixture(scope="session")
def trained(source, demos, tmp_path_factory):
    """Both networks, and what was told."""
    made = {}
    for scratch in (False, True):
        out = tmp_path_factory.mktemp("scratch" if scratch else "pretrained")
        told = []
        small.train(settings(source, demos, out, scratch=scratch), told.append)
        made[scratch] = out, told
    return made


def test_the_pieces_of_a_source_are_what_is_loaded(source):
    first = MobileNetMiniLM.load(source, Setup())
    again = MobileNetMiniLM.load(source, Setup())
    scratch = MobileNetMiniLM.load(source, Setup(), scratch=True)
    own, same, other = (m.state_dict() for m in (first, again, scratch))
    assert all(torch.equal(own[name], same[name]) for name in own)
    assert not torch.equal(own["vision.fine.0.0.weight"], other["vision.fine.0.0.weight"])


def test_a_source_without_a_tensor_is_refused(source, tmp_path):
    (tmp_path / "config.json").write_text((source / "config.json").read_text())
    (tmp_path / "text").symlink_to(source / "text")
    state = load_file(source / "model.safetensors")
    state.pop("align.patch.weight")
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(MissingAsset, match=r"align\.patch\.weight"):
        MobileNetMiniLM.load(tmp_path, Setup())


@pytest.fixture(scope="session")
def older(source, tmp_path_factory):
    """The aligned folder of the design before: a patch was its 576 features alone."""
    folder = tmp_path_factory.mktemp("older")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    state = load_file(source / "model.safetensors")
    state["align.patch.weight"] = state["align.patch.weight"][:, : Trunk.COARSE].contiguous()
    save_file(state, folder / "model.safetensors")
    (folder / FACTS).write_text("{}")
    return folder


def test_a_source_of_another_shape_is_refused(older):
    with pytest.raises(
        MissingAsset, match=r"align\.patch\.weight.*\(64, 576\).*\(64, 684\)"
    ) as caught:
        MobileNetMiniLM.load(older, Setup())
    assert "bench learn" in caught.value.fix


def test_a_fusion_of_another_shape_is_refused(source):
    """A whole checkpoint, read with options that it was not trained with."""
    with pytest.raises(
        MissingAsset, match=r"fusion\.transformer\.layers\.1.*this network has none"
    ):
        MobileNetMiniLM.load(source, Setup(options={"layers": 1}))


@pytest.mark.parametrize("what", ["aligned", "pretrained"])
def test_learn_refuses_what_an_older_revision_left(source, older, tmp_path, what):
    """Before a demonstration is played: what is there would not be made again."""
    out = tmp_path / "out"
    shutil.copytree(older if what == "aligned" else source, out / "aligned")
    if what == "pretrained":
        (out / "aligned" / FACTS).write_text("{}")
        shutil.copytree(older, out / what / "backbone")
        (out / what / "vla.json").write_text("{}")
    said = bench("learn", "--out", out, cwd=tmp_path, code=2)
    assert "(64, 576)" in said and f"rm -r {out / what}" in " ".join(said.split())
    assert not (out / "demos").exists()


def test_an_empty_folder_names_the_command(tmp_path):
    with pytest.raises(MissingAsset) as caught:
        MobileNetMiniLM.load(tmp_path, Setup())
    assert "bench learn" in caught.value.fix


@torch.no_grad()
def read(backbone, frames, texts):
    query = torch.zeros(1, backbone.hidden_size)
    return backbone(backbone.prepare(frames, texts), query).queries[:, 0]


def test_a_long_prompt_in_the_batch_changes_no_action(source):
    backbone = MobileNetMiniLM.load(source, Setup()).eval()
    frames = np.random.default_rng(0).integers(0, 255, (2, 112, 112, 3), dtype=np.uint8)
    texts = ["Pick the cube", "Pick the cube and place it on a very long name of an emoji"]
    both = read(backbone, frames, texts)
    alone = torch.cat([read(backbone, frames[k : k + 1], texts[k : k + 1]) for k in (0, 1)])
    assert torch.allclose(both, alone, atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-3)


def test_the_words_reach_the_action_only_through_the_comparison(source):
    """With nothing compared, any two instructions give the same action bit for bit."""
    backbone = MobileNetMiniLM.load(source, Setup()).eval()
    frames = np.random.default_rng(1).integers(0, 255, (1, 112, 112, 3), dtype=np.uint8)
    torch.nn.init.zeros_(backbone.fusion.match.weight)
    one, other = (read(backbone, frames, [text]) for text in ("a fox", "a pear tree"))
    assert torch.equal(one, other)


@pytest.mark.grinningface
def test_only_what_should_train_has_trained(source, trained):
    """Pretrained: fusion, query and head. From scratch: the comparison too. Never trunk or text."""
    start = MobileNetMiniLM.load(source, Setup()).state_dict()
    for scratch, (out, _) in trained.items():
        state = checkpoint.load(out).backbone.state_dict()
        if not scratch:
            frozen = [name for name in start if not name.startswith("fusion.")]
            assert all(torch.equal(state[name], start[name]) for name in frozen)
        else:
            assert not torch.equal(state["vision.fine.0.0.weight"], start["vision.fine.0.0.weight"])
            compared = state["align.patch.weight"]
            assert not compared[:, : Trunk.COARSE].any()
            assert compared[:, Trunk.COARSE :].any()
            assert not state["fusion.look.0.weight"][: Trunk.FINE].any()
    assert checkpoint.load(trained[True][0]).config.scratch


@pytest.mark.grinningface
def test_it_learns_the_same_again_from_the_same_seed(source, demos, trained, tmp_path):
    out, told = trained[False]
    again = []
    small.train(settings(source, demos, tmp_path), again.append)
    clocks = {"seconds", "samples_per_s"}
    numbers = [[{n: v for n, v in line.values.items() if n not in clocks} for line in lines]
               for lines in (again, told)]  # fmt: skip
    assert numbers[0] == numbers[1]
    first, second = checkpoint.load(out), checkpoint.load(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(),
                                                 strict=True))  # fmt: skip


@pytest.mark.grinningface
def test_remembered_features_give_the_action_that_the_policy_computes(source, demos, trained):
    """Training sees what evaluation will see: no second preprocessing to get out of step."""
    out, _ = trained[False]
    model = checkpoint.load(out)
    samples, camera = small._samples(settings(source, demos, out))
    kept = memory.remember(model, samples, False)
    sample = samples[1]
    with torch.no_grad():
        states = model.states(kept.batch(np.array([1])).inputs)
        remembered = model.decoder.decode(states, ())[0]
    asked = model.predict(sample.images[camera.name], [sample.instruction])[0]
    assert torch.allclose(remembered[:, :6], asked[:, :6], atol=2e-3)  # features are kept in half
    assert asked.shape == (50, 7)


@pytest.mark.grinningface
def test_the_actions_say_which_card_is_meant(source, demos, trained):
    """The hand lets go over the named card, seen in the picture; the wanted map lies there."""
    out, _ = trained[True]
    model = checkpoint.load(out)
    samples, _ = small._samples(settings(source, demos, out))
    kept = memory.remember(model, samples, True)
    places = landing.landings(model.config.action, kept.actions, kept.mask, 448)
    suite = episodes("x", {"split": "demos", "count": 4, "seed": 1}, {"robot": "panda"})
    setups = {episode.instruction: episode.setup for episode in suite}
    cells = model.backbone.centres(kept.patches, 448).flatten(0, 1)
    for i in range(len(samples)):
        setup = setups[samples[i].instruction]
        cards = project(np.c_[np.array(setup["cards_xy"]), np.zeros(3)], 448)
        assert np.linalg.norm(cards - places[i].numpy(), axis=1).argmin() == setup["target"]
        assert np.linalg.norm(cards[setup["target"]] - places[i].numpy()) < 20
        brightest = cells[kept.landed[i].flatten().argmax()]
        assert (brightest - places[i]).abs().max() <= Trunk.STRIDE / 2
        assert float(kept.landed[i].sum()) == pytest.approx(1, abs=1e-4)


@pytest.mark.grinningface
def test_pictures_of_later_steps_are_refused(source, tmp_path):
    """From scratch: the hand is not at rest in them. The aligned network does not ask."""
    bench("demos", "--suite", "grinningface_demos", "--set", "robot=panda", "--episodes", "1",
          "--frames", "2", "--size", "64", "--slots", "1", "--out", tmp_path / "demos",
          cwd=tmp_path)  # fmt: skip
    with pytest.raises(BadInput, match="other steps than the first"):
        small.train(
            settings(source, tmp_path / "demos", tmp_path / "out", scratch=True),
            lambda moment: None,
        )
    assert len(small._samples(settings(source, tmp_path / "demos", tmp_path))[0]) == 2


@pytest.mark.grinningface
def test_what_would_be_misread_is_refused(source, demos, tmp_path):
    """Before anything is shown to a network, and no checkpoint is left."""
    data = open_demonstrations(demos)
    assert data.robot == "panda"
    landing.check_readable(data)
    landing.check_readable(replace(data, robot=""))
    for change, said in (
        ({"robot": "widowx"}, "recorded on 'widowx'"),
        ({"action": replace(data.action, frame="tcp")}, "frame 'tcp'"),
        ({"action": replace(data.action, control="absolute")}, "absolute actions"),
    ):
        with pytest.raises(BadInput, match=said) as caught:
            landing.check_readable(replace(data, **change))
        assert "robot=panda" in caught.value.fix
    longest = max(t.length for t in data.trajectories)
    for scratch in (False, True):
        short = settings(source, demos, tmp_path / "out", chunk=longest - 1, scratch=scratch)
        with pytest.raises(BadInput, match=f"of {longest} actions") as caught:
            small.train(short, lambda moment: None)
        assert f"chunk={longest}" in caught.value.fix
    assert not (tmp_path / "out").exists()


@pytest.mark.grinningface
def test_another_robots_demonstrations_are_refused_from_scratch_only(source, demos, tmp_path):
    shutil.copytree(demos, tmp_path / "demos")
    info = tmp_path / "demos" / "meta" / "info.json"
    info.write_text(json.dumps({**json.loads(info.read_text()), "robot_type": "widowx"}))
    with pytest.raises(BadInput, match="widowx"):
        small.train(settings(source, tmp_path / "demos", tmp_path, scratch=True), print)
    assert len(small._samples(settings(source, tmp_path / "demos", tmp_path))[0])


@pytest.mark.grinningface
def test_metrics_tell_every_line(trained):
    hand = {f"{which}_{what}" for which in ("held_out", "fitted")
            for what in ("card", "grasp_x_mm", "grasp_y_mm")}  # fmt: skip
    for scratch, (out, told) in trained.items():
        with (out / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [int(float(row["step"])) for row in rows] == [moment.step for moment in told]
        assert {"loss", "path", "held_out_loss"} | hand <= set(rows[0])
        # Only the scratch network is judged by the place.
        assert ("place" in rows[0]) == ("held_out_place" in rows[0]) == scratch
        assert all(0 <= float(row["held_out_card"]) <= 1 for row in rows)
        assert all(math.isfinite(float(row["held_out_grasp_x_mm"])) for row in rows)
    out = trained[True][0]
    assert json.loads((out / "vla.json").read_text())["whole"] is True


@pytest.mark.grinningface
def test_bench_run_takes_the_checkpoint(trained, tmp_path, ray_session):
    out, _ = trained[False]
    shown = bench("run", "--policy", "mobilenet-minilm", "--checkpoint", out, "--suite",
                  "grinningface_val", "--set", "robot=panda", "--episodes", "1", "--slots", "1",
                  "--store", tmp_path / "bench.db", cwd=tmp_path)  # fmt: skip
    assert "mobilenet-minilm" in shown


@pytest.mark.parametrize(
    ("name", "value"), [("batch", 1), ("place_weight", -1.0), ("place_weight", math.nan),
                        ("path_weight", -0.1), ("gripper_weight", 101.0)],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(tmp_path, name, value):
    with pytest.raises(OutOfRange, match=name):
        small.SmallSettings(tmp_path, tmp_path, tmp_path, **{name: value})


def test_learn_refuses_before_it_begins(tmp_path):
    said = bench("learn", "--out", tmp_path / "o", "--episodes", "501", cwd=tmp_path, code=2)
    assert "--episodes 501" in said
    assert not (tmp_path / "o").exists()


def test_pictures_that_are_not_square_are_refused(source, tmp_path):
    with pytest.raises(BadInput, match="square"):
        small._square_side(480, 640)
