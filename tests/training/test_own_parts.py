"""Decoders, formulations and samples of others: trained, logged, run without a change in ours."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.bench import bench as bench_here
from tests.kills.driver import rows
from tests.training import spoken, two_eyes
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.specs import ActionSpec, CameraRequest, opening, position
from vlm4vla.demonstrations.open import open_demonstrations
from vlm4vla.demonstrations.samples import Chunks
from vlm4vla.models import checkpoint
from vlm4vla.models.config import VLAConfig
from vlm4vla.models.contracts import Needs, ReaderMismatch, ReaderSpec, check_fit
from vlm4vla.models.decoders.config import DecoderConfig, MLPConfig
from vlm4vla.models.tokenizers import Invalid
from vlm4vla.models.vla import VLA
from vlm4vla.simulators import gym
from vlm4vla.store import Store
from vlm4vla.training.augment import Augmenter
from vlm4vla.training.batches import Shuffled
from vlm4vla.training.plan import TrainPlan
from vlm4vla.training.settings import TrainSettings
from vlm4vla.training.trainer import train

ROOT = Path(__file__).parents[2]
DECODER, RECIPE, PROJECT = re.findall(
    r"```(?:python|yaml|toml)\n(.*?)```", (ROOT / "docs" / "add_a_decoder.md").read_text(), re.S
)
ALONE = {"OMP_NUM_THREADS": "1", "VLM4VLA_STORE": "bench.db"}
QUICK = ("--steps", 4, "--batch", 4, "--log-every", 2, "--save-every", 2, "--workers", 0,
         "--precision", "fp32")  # fmt: skip


def bench(*words, cwd, code=0, **environment):
    """In a Python of its own: what is installed there is another matter than what is here."""
    done = subprocess.run(
        [sys.executable, "-m", "vlm4vla.cli", *map(str, words)],
        capture_output=True, text=True, timeout=180, cwd=cwd, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code == 2 else done.stdout


@pytest.fixture
def package(tmp_path):
    """The example of the documentation, installed: a module and its entry point."""
    (tmp_path / "my_decoder.py").write_text(DECODER)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    group, entry = re.fullmatch(r'\[project.entry-points."(.*)"\]\n(.*)\n', PROJECT).groups()
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    return tmp_path


def columns(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_decoder_of_another_package_trains_is_shown_and_runs(package):
    """`bench demos`, `bench train --recipe FILE`, `bench run`: real processes."""
    told = ALONE | {"PYTHONPATH": str(package)}
    bench("demos", "--suite", "toy", "--episodes", 2, "--frames", 4, "--size", 64, "--slots", 1,
          "--out", "d", cwd=package, **told)  # fmt: skip
    said = bench("train", "--backbone", "toy", "--data", "d", "--out", "ckpt", "--recipe",
                 "recipe.yaml", "--holdout", 0.5, *QUICK, cwd=package, **told)  # fmt: skip
    assert re.search(r"step 4/4  loss -?\d.*  nll -?\d.*  spread \d.*  held out -?\d", said)
    first, last = columns(package / "ckpt")
    for name in ("loss", "nll", "grip", "spread", "held_out_nll", "held_out_spread"):
        assert np.isfinite(float(first[name])) and first[name] != last[name], name
    assert "arm" not in first
    written = json.loads((package / "ckpt" / "vla.json").read_text())
    assert written["config"]["decoder"] == {"kind": "gaussian", "chunk": 4, "least": 0.01}
    ran = bench("run", "--policy", "vla", "--checkpoint", "ckpt", "--suite", "toy", "--episodes", 1,
                "--slots", 1, cwd=package, **told)  # fmt: skip
    assert "2/2 episodes" in ran
    # Where the package is not installed, the checkpoint says what is missing.
    (package / "elsewhere").mkdir()
    refused = bench("run", "--policy", "vla", "--checkpoint", package / "ckpt", "--suite", "toy",
                    cwd=package / "elsewhere", code=2, **ALONE)  # fmt: skip
    assert "decoder" in refused and "'gaussian'" in refused


def test_a_class_needs_no_name(package, monkeypatch):
    monkeypatch.syspath_prepend(str(package))
    found = DecoderConfig.read({"kind": "my_decoder:GaussianConfig", "least": 0.5})
    assert (found.kind, found.least, found.chunk) == ("my_decoder:GaussianConfig", 0.5, 10)
    with pytest.raises(UnknownName, match="Did you mean mlp"):
        DecoderConfig.read({"kind": "mpl"})
    with pytest.raises(BadInput, match="kind"):
        DecoderConfig.read({"chunk": 3})


def test_two_frames_of_two_cameras_from_demonstrations_to_a_run(tmp_path, ray_session):
    """Every picture has a say, in training as in the run; each camera has its own size."""
    two_eyes.write(tmp_path)

    def bench(*words, cwd):
        done = bench_here(*words, cwd=cwd, **ALONE)
        assert done.code == 0, done.out + done.err

    bench("demos", "--suite", "two_eyed.yaml", "--episodes", 2, "--frames", "all", "--camera",
          "top", "--camera", "side", "--slots", 1, "--out", "d", cwd=tmp_path)  # fmt: skip
    bench("train", "--backbone", "toy", "--data", "d", "--out", "ckpt", "--recipe", "recipe.yaml",
          *QUICK, cwd=tmp_path)  # fmt: skip
    bench("run", "--policy", "vla", "--checkpoint", "ckpt", "--suite", "two_eyed.yaml",
          "--episodes", 1, "--slots", 1, cwd=tmp_path)  # fmt: skip
    found = rows(tmp_path / "bench.db")
    assert [row.error for row in found] == [None, None]
    # Half of 4 actions a query: frames 0 and 1, then at each query that and three steps before.
    assert all(row.renders == row.steps for row in found)
    model = checkpoint.load(tmp_path / "ckpt")
    assert model.config.request.offsets == (-3, 0)
    sizes = [(camera.name, camera.height) for camera in model.config.cameras]
    assert sizes == [("top", 64), ("side", 48)]
    rng = np.random.default_rng(0)
    views = [rng.integers(0, 255, (1, 2, side, side, 3), np.uint8) for side in (64, 48)]
    before = model.predict(views, ["go"])
    for camera in (0, 1):
        for frame in (0, 1):
            other = [view.copy() for view in views]
            other[camera][:, frame] = 255 - other[camera][:, frame]
            assert not torch.equal(model.predict(other, ["go"]), before)


SEEING_AND_FEELING = """
summary: the toy told where its gripper is
decoder: {kind: mlp, chunk: 4}
proprio: [gripper, {name: position, size: 3, unit: mm, frame: base}]
statistics: none
augment: none
execution: half
stages: [{steps: 4, batch: 4, lr: 1.0e-3}]
"""


def test_proprioception_from_demonstrations_to_a_run(tmp_path, ray_session):
    """In the recipe's own units, in training as in the run: one action is computed by hand."""
    (tmp_path / "recipe.yaml").write_text(SEEING_AND_FEELING)

    def bench(*words, code=0):
        done = bench_here(*words, cwd=tmp_path, **ALONE)
        assert done.code == code, done.out + done.err
        return done.err

    bench("demos", "--suite", "toy", "--episodes", 2, "--frames", 4, "--size", 64, "--slots", 1,
          "--out", "d")  # fmt: skip
    train = ("train", "--backbone", "toy", "--data", "d", "--recipe", "recipe.yaml", *QUICK)
    bench(*train, "--out", "ckpt")
    bench("run", "--policy", "vla", "--checkpoint", "ckpt", "--suite", "toy", "--episodes", 1,
          "--slots", 1)  # fmt: skip
    model = checkpoint.load(tmp_path / "ckpt")
    wanted = model.config.request.proprio
    assert wanted == (opening(1.0), position("base", "mm"))
    env = gym.make("toy", cameras=[CameraRequest("top", 64, 64)])
    seen, info = env.reset(seed=0, options={"task": "near", "init": 0})
    told = np.array([[[seen["proprio"][3], *(1000 * seen["proprio"][:3])]]], np.float32)
    samples = Chunks([open_demonstrations(tmp_path / "d")], 4, model.config.cameras, proprio=wanted)
    assert np.allclose(samples[0].proprio, told[0])
    with Store.open(tmp_path / "bench.db") as store:
        played = store.actions(store.runs()[0].id, EpisodeKey("toy", "near", 0))
    predicted = model.predict(seen["top"][None], [info["instruction"]], told)
    assert np.allclose(played[:2], predicted[0, :2].numpy(), atol=1e-6)
    other = model.predict(seen["top"][None], [info["instruction"]], told + 300)
    assert (other - predicted).abs().max() > 1e-4
    (tmp_path / "recipe.yaml").write_text(SEEING_AND_FEELING.replace("gripper,", "griper,"))
    assert "griper" in (said := bench(*train, "--out", "no", code=2)) and "gripper" in said
    (tmp_path / "recipe.yaml").write_text(SEEING_AND_FEELING.replace("unit: mm", "units: mm"))
    assert "units" in bench(*train, "--out", "no", code=2)


def plan(tmp_path, **changes) -> TrainPlan:
    config = VLAConfig(
        "toy", "", ActionSpec(), (CameraRequest("top", 16, 16),), image_size=16,
        proprio=(position(),), decoder=two_eyes.ToldConfig(chunk=2),
    )  # fmt: skip
    given = TrainPlan(
        settings=TrainSettings("toy", (tmp_path,), tmp_path / "o", precision="fp32", log_every=20),
        config=config,
        source=Shuffled(two_eyes.Mixed(), two_eyes.Mixed(), Augmenter(), 1),
        steps=60, batch=8, lr=2e-3, warmup=0, clip_gradients=0.0, save_every=60, measure_every=20,
    )  # fmt: skip
    return replace(given, **changes)


def test_proprioception_and_text_reach_the_decoder(tmp_path):
    """Answers are learned where there are answers, actions where there are actions."""
    train(plan(tmp_path), lambda event: None)
    model = checkpoint.load(tmp_path / "o")
    assert model.query.shape == (2, 32)  # two ActionQueries, each with a state of its own
    first, *_, last = columns(tmp_path / "o")
    for name in ("arm", "words", "held_out_words"):
        assert float(last[name]) < 0.5 * float(first[name]), name
    samples = two_eyes.Mixed()
    pictures = np.stack([sample.images["top"][-1] for sample in samples])
    texts = [sample.instruction for sample in samples]
    states = np.stack([sample.proprio for sample in samples])
    moved = model.predict(pictures, texts, states) - model.predict(pictures, texts, 0 * states)
    assert (moved[1:].abs().amax((1, 2)) > 1e-3).all()


def test_a_decoder_may_own_a_tokenizer_whose_state_travels(tmp_path):
    """Fitted in training, in the checkpoint by name, and what decodes afterwards."""
    decoder = spoken.SpokenConfig(chunk=2, bins=16)
    given = plan(tmp_path)
    train(replace(given, config=replace(given.config, decoder=decoder)), lambda event: None)
    first, *_, last = columns(tmp_path / "o")
    assert float(last["tokens"]) < 0.5 * float(first["tokens"])
    stored = load_file(tmp_path / "o" / "vla.safetensors")
    wanted = torch.from_numpy(np.stack([sample.actions for sample in two_eyes.Mixed()]))
    assert torch.equal(stored["decoder.tokenizer.high"], wanted.amax((0, 1)))
    model = checkpoint.load(tmp_path / "o")
    tokenizer = model.decoder.tokenizer
    assert torch.equal(tokenizer.high, stored["decoder.tokenizer.high"])
    samples = two_eyes.Mixed()
    found = model.predict(
        np.stack([sample.images["top"][-1] for sample in samples]),
        [sample.instruction for sample in samples],
        np.stack([sample.proprio for sample in samples]),
    )
    assert model.decoder.invalid == 0 and (found - wanted).abs().max() < 1 / 16
    for chunk in wanted:
        off = tokenizer.decode(tokenizer.encode(chunk)) - chunk
        assert off.abs().max() <= tokenizer.high.max() / 32 + 1e-6
    assert isinstance(tokenizer.decode([16] * 14), Invalid)
    assert isinstance(tokenizer.decode([0] * 13), Invalid)


def test_a_cosine_ends_at_nothing(tmp_path):
    train(plan(tmp_path, decay="cosine", warmup=20), lambda event: None)
    rates = [float(row["lr"]) for row in columns(tmp_path / "o")]
    assert rates[0] == 2e-3 and 0.9e-3 < rates[1] < 1.1e-3 and rates[2] < 1e-5


def test_what_a_backbone_does_not_give_is_refused_before_it_is_read():
    states = ReaderSpec()
    for needs, says in (
        (Needs(generates="digits"), "needs the backbone's logits; 'b' gives states"),
        (Needs(expert=True), "needs the backbone's layers"),
        (Needs(queries=2), "2 ActionQueries .* 'b' reads 1"),
    ):
        with pytest.raises(ReaderMismatch, match=says):
            check_fit("b", states, "d", needs, 1)
    check_fit("b", states, "d", Needs(queries=0), 1)
    check_fit("b", ReaderSpec(frozenset({"states", "layers"}), 8, 2), "d", Needs(8, expert=True), 2)
    config = VLAConfig(
        "qwen3vl-4b", "no/such-weights", ActionSpec(), (CameraRequest("a"), CameraRequest("b")),
    )  # fmt: skip
    with pytest.raises(ReaderMismatch, match="2 pictures"):
        VLA.build(config)


def test_a_finished_checkpoint_is_whole_without_its_steps(tmp_path):
    """A copy of the folder without the checkpoints on the way, and of one of them alone."""
    train(plan(tmp_path, save_every=20), lambda event: None)
    assert (tmp_path / "o" / "step-00000020" / "vla.json").is_file()
    hidden = shutil.ignore_patterns("step-*", "state", "tensorboard", "*.csv", "train.json")
    shutil.copytree(tmp_path / "o", tmp_path / "copy", ignore=hidden)
    shutil.copytree(tmp_path / "o" / "step-00000020", tmp_path / "step")
    final, copied, step = (checkpoint.load(tmp_path / n) for n in ("o", "copy", "step"))
    assert all(
        torch.equal(a, b) for a, b in zip(final.parameters(), copied.parameters(), strict=True)
    )
    assert not torch.equal(step.query, final.query)


def test_a_training_is_not_held_to_the_precision_of_the_one_before(tmp_path):
    """In one process, as a notebook trains: Accelerate would keep the first one's."""
    for precision in ("fp32", "bf16", "fp32"):
        out = tmp_path / precision
        settings = TrainSettings("toy", (tmp_path,), out, precision=precision, log_every=1)
        train(plan(tmp_path, settings=settings, steps=1, save_every=1), lambda event: None)
        facts = json.loads((out / "vla.json").read_text())["training"]
        assert facts["precision"] == precision
    fp32, bf16 = (columns(tmp_path / precision)[0]["loss"] for precision in ("fp32", "bf16"))
    assert fp32 != bf16 and float(fp32) == pytest.approx(float(bf16), rel=0.05)


def test_a_training_says_what_decides_its_last_bits(tmp_path):
    torch.set_num_threads(1)
    train(plan(tmp_path), lambda event: None)
    facts = json.loads((tmp_path / "o" / "vla.json").read_text())["training"]
    assert facts["threads"] == 1 and facts["torch"] == torch.__version__ and facts["seed"] == 123
    assert (facts["device"], facts["precision"], facts["processes"]) == ("cpu", "fp32", 1)


def test_a_field_of_a_decoder_that_is_none_is_named():
    with pytest.raises(BadInput, match=r"no field 'arm_los'\. Did you mean arm_loss"):
        DecoderConfig.read({"kind": "mlp", "arm_los": "mse"})
    assert DecoderConfig.read({"kind": "mlp", "arm_loss": "mse"}) == MLPConfig(arm_loss="mse")
