"""`bench train` as a user runs it: real processes, real kills, the same losses."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.cli.test_replay import bench
from tests.demonstrations import layouts
from tests.models import tiny

STEPS = ("--steps", "12", "--save-every", "4", "--log-every", "1", "--batch", "4", "--workers", "0")
ALONE = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def words(folder: Path, out: str, *more: str) -> list[str]:
    """The toy backbone on LIBERO's layout, with everything random that there is."""
    return [
        "train", "--backbone", "toy", "--data", str(folder / "a.hdf5"), "--out", out,
        "--statistics", "own", "--augment", "openvla", "--precision", "fp32", *STEPS, *more,
    ]  # fmt: skip


def losses(out: Path) -> dict[int, tuple[str, ...]]:
    """Every digit that decides anything, by step; speed is no part of it."""
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    wanted = ("loss", "arm", "gripper", "gripper_accuracy", "gradient_norm", "lr")
    assert len({row["step"] for row in rows}) == len(rows)
    return {int(row["step"]): tuple(row[name] for name in wanted) for row in rows}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    layouts.libero(folder / "a.hdf5", (9, 12))
    bench(*words(folder, "whole"), cwd=folder, **ALONE)
    return folder


def test_training_leaves_a_policy_and_its_curve(uninterrupted):
    out = uninterrupted / "whole"
    found = losses(out)
    assert list(found) == list(range(1, 13))
    assert float(found[12][0]) < float(found[1][0])
    assert (out / "vla.json").is_file() and (out / "step-00000008" / "vla.json").is_file()
    assert [path.name for path in (out / "state").iterdir()] == ["step-00000012"]
    assert list((out / "tensorboard").iterdir())


def test_the_checkpoint_knows_conventions_and_statistics(uninterrupted):
    import numpy as np

    from vlm4vla.core.conventions import CONVENTIONS
    from vlm4vla.models import manifest

    config = manifest.read(uninterrupted / "whole").config
    assert config.action == CONVENTIONS["libero"]
    assert (config.cameras[0].name, config.cameras[0].flip) == ("agentview", "horizontal")
    assert config.centre_crop == 0.9  # the training crop's answer
    everything = np.concatenate([layouts.actions(e, n) for e, n in ((0, 9), (1, 12))])
    low, high = np.quantile(everything.astype(np.float64)[:, :6], [0.01, 0.99], axis=0)
    assert config.statistics is not None
    assert config.statistics.q01 == tuple(low) and config.statistics.q99 == tuple(high)


@pytest.mark.kills
def test_killed_anywhere_it_goes_on_exactly(uninterrupted, tmp_path):
    """SIGKILL between checkpoints, twice; every later loss is the uninterrupted one's."""
    command = [sys.executable, "-m", "vlm4vla.cli", *words(uninterrupted, str(tmp_path / "cut"))]
    for lines in (6, 10):
        child = subprocess.Popen(command, env=os.environ | ALONE, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        metrics = tmp_path / "cut" / "metrics.csv"
        while not metrics.is_file() or len(metrics.read_text().splitlines()) <= lines:
            assert time.monotonic() < deadline and child.poll() is None
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    said = bench(*words(uninterrupted, str(tmp_path / "cut")), cwd=tmp_path, **ALONE)
    assert "continues after step 8" in said
    assert losses(tmp_path / "cut") == losses(uninterrupted / "whole")
    weights = [p / "vla.safetensors" for p in (tmp_path / "cut", uninterrupted / "whole")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def here(folder: Path, out: Path, **settings) -> list[str]:
    """The same training in this process; what it said."""
    from vlm4vla.training.plan import resolve
    from vlm4vla.training.settings import TrainSettings
    from vlm4vla.training.trainer import train

    torch.set_num_threads(1)
    same = {
        "statistics": "own", "augment": "openvla", "precision": "fp32", "steps": 12,
        "save_every": 4, "log_every": 1, "batch": 4, "workers": 0,
    }  # fmt: skip
    plan = resolve(TrainSettings("toy", (folder / "a.hdf5",), out, **(same | settings)))
    said: list[str] = []
    train(plan, lambda event: said.append(event if isinstance(event, str) else ""))
    return said


def test_workers_change_nothing(uninterrupted, tmp_path):
    here(uninterrupted, tmp_path / "w", workers=2)
    assert losses(tmp_path / "w") == losses(uninterrupted / "whole")


def test_a_longer_training_continues_a_finished_one(uninterrupted, tmp_path):
    here(uninterrupted, tmp_path / "more", steps=8)
    assert "continues after step 8" in here(uninterrupted, tmp_path / "more", steps=12)
    assert losses(tmp_path / "more") == losses(uninterrupted / "whole")


@pytest.mark.parametrize(("backbone", "lora"), [("paligemma-1", None), ("qwen3vl-4b", 4)])
def test_true_classes_continue_exactly_in_bfloat16(tmp_path, backbone, lora):
    """Tied word embeddings, LoRA and autocast are all in the state, or follow from the source."""
    from vlm4vla.training.plan import resolve
    from vlm4vla.training.settings import TrainSettings
    from vlm4vla.training.trainer import train

    layouts.libero(tmp_path / "a.hdf5", (6, 6))
    tiny.make(backbone, tmp_path / "vlm")
    for out, steps in (("whole", 4), ("cut", 2), ("cut", 4)):
        settings = TrainSettings(
            backbone, (tmp_path / "a.hdf5",), tmp_path / out, source=str(tmp_path / "vlm"),
            steps=steps, batch=2, lr=1e-3, save_every=2, log_every=1, workers=0, lora=lora,
            model={"image_size": 56, **tiny.OPTIONS[backbone]},
        )  # fmt: skip
        train(resolve(settings), lambda event: None)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    weights = [tmp_path / out / "vla.safetensors" for out in ("cut", "whole")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_kill_between_state_and_policy_costs_no_policy(uninterrupted, tmp_path):
    """The state is saved first: what was killed before the policy followed is made up for."""
    out = tmp_path / "late"
    here(uninterrupted, out, steps=8)
    wanted = (out / "vla.safetensors").read_bytes()
    (out / "vla.json").unlink()
    assert f"checkpoint {out}" in here(uninterrupted, out, steps=8)
    assert (out / "vla.json").is_file() and (out / "vla.safetensors").read_bytes() == wanted
    assert f"checkpoint {out}" not in here(uninterrupted, out, steps=8)
    assert f"checkpoint {out}" in here(uninterrupted, out, steps=12)


def test_a_held_out_loss_is_of_what_is_not_trained_on(tmp_path):
    """Ten trajectories, two apart; their loss falls less than that of those trained on."""
    from vlm4vla.training import metrics
    from vlm4vla.training.plan import resolve
    from vlm4vla.training.settings import TrainSettings

    layouts.libero(tmp_path / "a.hdf5", (4,) * 10)
    settings = TrainSettings(
        "toy", (tmp_path / "a.hdf5",), tmp_path / "h", holdout=0.2, seed=5, batch=4
    )
    plan = resolve(settings)
    samples, apart = plan.source.samples, plan.source.apart
    assert (len(samples), len(apart)) == (32, 8)
    both = [{float(c[i].actions[0, 1]) for i in range(len(c))} for c in (samples, apart)]
    assert len(both[0]) == 8 and len(both[1]) == 2 and not both[0] & both[1]
    here(tmp_path, tmp_path / "h", holdout=0.2, seed=5, lr=1e-3, steps=12)
    rows = metrics.read(tmp_path / "h")
    measured = {int(row["step"]): row["held_out_loss"] for row in rows if row["held_out_loss"]}
    assert list(measured) == [4, 8, 12] and len(set(measured.values())) == 3
    assert rows[3]["held_out_arm"] and not rows[2]["held_out_arm"]


def test_accumulation_changes_rounding_only(uninterrupted, tmp_path):
    """Every sample has a whole chunk here, so means of means are means."""
    one, parts = tmp_path / "one", tmp_path / "parts"
    here(uninterrupted, one, chunk=1)
    here(uninterrupted, parts, chunk=1, micro_batch=1)
    for step, row in losses(one).items():
        for ours, theirs in zip(row, losses(parts)[step], strict=True):
            assert float(ours) == pytest.approx(float(theirs), rel=2e-3, abs=2e-5), step


@pytest.mark.kills
def test_an_interrupt_saves_and_ends(uninterrupted, tmp_path):
    command = words(uninterrupted, str(tmp_path / "int"), "--steps", "2000", "--save-every", "2000")
    child = subprocess.Popen(
        [sys.executable, "-m", "vlm4vla.cli", *command],
        env=os.environ | ALONE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / "int" / "metrics.csv").is_file():
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 130 and "The same command continues" in said
    assert len(list((tmp_path / "int" / "state").iterdir())) == 1


def test_two_processes_see_what_one_sees(uninterrupted, tmp_path):
    """Same global batch, same samples: losses agree to rounding, and the policy is saved once."""
    done = subprocess.run(
        [
            sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
            "--num_machines", "1", "--mixed_precision", "no", "--main_process_port", "0",
            "-m", "vlm4vla.cli", *words(uninterrupted, str(tmp_path / "two")),
        ],
        env=os.environ | ALONE, capture_output=True, text=True, timeout=180, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = losses(uninterrupted / "whole"), losses(tmp_path / "two")
    for step, row in one.items():
        for ours, theirs in zip(row, two[step], strict=True):
            assert float(ours) == pytest.approx(float(theirs), rel=2e-3, abs=2e-5), step
    assert done.stdout.count("\ncheckpoint ") == 3


REFUSALS = [
    (("--backbone", "qwen3vl-4b"), "hf download Qwen/Qwen3-VL-4B-Instruct"),
    (("--backbone", "qwen3vl-5b"), "Did you mean qwen3vl-"),
    (("--data", "nowhere"), "bench demos"),
    (("--recipe", "calvn"), "Did you mean calvin"),
    (("--augment", "flip"), "augmentation"),
    (("--statistics", "bridge"), "bridge_orig"),
    (("--camera", "wrist"), "agentview"),
    (("--convention", "xyz"), "convention"),
    (("--lr", "-1"), "--lr"),
    (("--steps", "0"), "--steps"),
    (("--freeze", "head"), "word_embeddings"),
    (("--set", "clip_nrm=1"), "Did you mean clip_norm"),
    (("--set", "mrope=round"), "native"),
    (("--set", "clip_norm=7"), "clip_norm"),
    (("--batch", "6", "--micro-batch", "4"), "--micro-batch"),
    (("--save-every", "7", "--log-every", "2"), "--log-every"),
    (("--out", "a.hdf5/x"), "cannot be written"),
    (("--holdout", "0.1"), "nothing on one side"),
]


@pytest.mark.parametrize(("flags", "says"), REFUSALS, ids=lambda v: " ".join(v)[:40])
def test_mistakes_are_refused_by_name(uninterrupted, flags, says, capsys, monkeypatch):
    """In this process: the point is the sentence, and that nothing was begun."""
    from vlm4vla.cli.app import main

    monkeypatch.chdir(uninterrupted)
    monkeypatch.setattr(sys, "argv", ["bench", *words(uninterrupted, "refused"), *flags])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
    assert not (uninterrupted / "refused" / "metrics.csv").exists()


def test_another_training_is_not_written_over(uninterrupted):
    said = bench(*words(uninterrupted, "whole", "--lr", "0.1"), cwd=uninterrupted, code=2, **ALONE)
    assert "holds another training" in said and "lr: 5e-05 there, 0.1 now" in said


def test_a_loss_that_is_no_number_ends_it(uninterrupted, tmp_path):
    from vlm4vla.training.plan import resolve
    from vlm4vla.training.settings import TrainSettings
    from vlm4vla.training.trainer import Trainer, TrainingDiverged

    plan = resolve(
        TrainSettings(
            "toy", (uninterrupted / "a.hdf5",), tmp_path / "nan", lr=10.0, batch=2, steps=400,
            clip_gradients=0.0, warmup=0, precision="fp32", workers=0, log_every=1,
        )
    )  # fmt: skip
    (tmp_path / "nan").mkdir()
    trainer = Trainer(plan, lambda event: None)
    with torch.no_grad():
        trainer._policy.query.fill_(float("nan"))
    with pytest.raises(TrainingDiverged, match="step 1"):
        trainer.run(0)


@pytest.mark.parametrize(
    ("flags", "frozen"),
    [
        (("--freeze", "vision"), "backbone.eye"),
        (("--freeze", "word_embeddings"), "backbone.words"),
        (("--freeze", "all"), "backbone."),
        (("--lora", "2"), "backbone.words"),
    ],
)
def test_what_is_frozen_stays_as_it_was(uninterrupted, tmp_path, flags, frozen):
    """Tables 3 and 8: the named weights equal the start's bit for bit, others moved."""
    from vlm4vla.models.vla import VLA
    from vlm4vla.training.plan import resolve
    from vlm4vla.training.settings import TrainSettings, frozen_parts
    from vlm4vla.training.trainer import Trainer

    (tmp_path / "f").mkdir()
    given = dict(zip(flags[::2], flags[1::2], strict=True))
    plan = resolve(
        TrainSettings(
            "toy", (uninterrupted / "a.hdf5",), tmp_path / "f", lr=1e-3, batch=2, steps=2,
            precision="fp32", workers=0, log_every=1,
            frozen=frozen_parts([given["--freeze"]] if "--freeze" in given else []),
            lora=int(given["--lora"]) if "--lora" in given else None,
        )
    )  # fmt: skip
    torch.manual_seed(plan.settings.seed)
    before = VLA.build(plan.config).state_dict()
    trainer = Trainer(plan, lambda event: None)
    trainer.run(0)
    after = trainer._policy.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    still = [name for name in before if name.startswith(frozen) and ".lora_" not in name]
    assert still and not moved & set(still)
    assert {name.split(".")[0] for name in moved} >= {"decoder"}
    if "--lora" in given:
        assert any(".lora_" in name for name in moved)
        assert all(".lora_" in n for n in moved if n.startswith("backbone."))


def test_from_demonstrations_to_scores_in_three_commands(tmp_path, ray_session):
    """bench demos, bench train on a tiny Qwen3-VL, bench run --checkpoint: as they are typed."""
    tiny.make("qwen3vl-4b", tmp_path / "vlm")
    told = {**ALONE, "VLM4VLA_STORE": str(tmp_path / "bench.db")}
    bench("demos", "--suite", "toy", "--episodes", 2, "--frames", 4, "--size", 64, "--slots", 1,
          "--out", "d", cwd=tmp_path, **ALONE)  # fmt: skip
    said = bench(
        "train", "--backbone", "qwen3vl-4b", "--source", "vlm", "--data", "d", "--out", "ckpt",
        "--steps", 3, "--batch", 4, "--log-every", 1, "--set", "image_size=64",
        "--set", f"min_pixels={64 * 64}", cwd=tmp_path, **ALONE,
    )  # fmt: skip
    assert "bench run --policy qwen3vl-4b --checkpoint ckpt" in said
    ran = bench(
        "run", "--policy", "qwen3vl-4b", "--checkpoint", "ckpt", "--suite", "toy", "--episodes",
        1, "--slots", 1, cwd=tmp_path, **told,
    )  # fmt: skip
    assert "2/2 episodes" in ran
    table = bench("leaderboard", "--format", "csv", cwd=tmp_path, **told)
    assert "qwen3vl-4b" in table and ",d," in table  # trained on the folder d


def test_a_policy_does_what_it_has_memorised(tmp_path, ray_session):
    """Two demonstrations learned by heart.

    Picture, words and actions of a step belong together, and what was normalised on the way in
    comes out as the simulator takes it.
    """
    from vlm4vla.cli.demos import demos
    from vlm4vla.demonstrations.recorder import FrameSelection
    from vlm4vla.runs.execute import execute
    from vlm4vla.runs.plan import resolve as resolve_run
    from vlm4vla.runs.request import RunRequest
    from vlm4vla.store import Store
    from vlm4vla.training.plan import resolve
    from vlm4vla.training.settings import TrainSettings
    from vlm4vla.training.trainer import train

    torch.set_num_threads(1)
    shown = RunRequest("expert", "toy", tasks=("near",), inits=(0, 1), slots=1)
    demos(tmp_path / "d", shown, selection=FrameSelection(1, (), 64))
    settings = TrainSettings(
        "toy", (tmp_path / "d",), tmp_path / "c", steps=120, batch=2, lr=1e-3, chunk=12,
        workers=0, precision="fp32", save_every=120,
        model={"clip_norm": 1, "gripper_loss_weight": 0.1},
    )  # fmt: skip
    train(resolve(settings), lambda event: None)
    request = RunRequest(
        "toy", "toy", tasks=("near",), inits=(0, 1), slots=1,
        policy_options={"checkpoint": str(tmp_path / "c")},
    )  # fmt: skip
    with Store.open(tmp_path / "b.db", create=True) as store:
        summary = execute(resolve_run(request), store, lambda event: None)
        rows = store.episodes(summary.run)
    assert [row.outcome.value for row in rows] == ["success", "success"]
