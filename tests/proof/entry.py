"""The doors into the product: the one module here to edit when something in it moves.

What a function returns is recorded; only where it is fetched from may change. Where a parameter or
a loss gets another name, give the old one here (`RENAMED`), never a new fixture.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

Numbers = dict[str, object]
"""Name -> number, text, array, or such a mapping again."""

RENAMED: dict[str, str] = {"decoder.": "head."}
"""Today's beginning of a tensor's name -> its beginning at 0.2.0."""


def old_name(name: str) -> str:
    """The name of a tensor at 0.2.0."""
    for new, old in RENAMED.items():
        if name.startswith(new):
            return old + name.removeprefix(new)
    return name


def bench(*words: object) -> str:
    """What `bench WORDS` prints, run in this process; it must end with 0."""
    from vlm4vla.cli.app import main

    printed = io.StringIO()
    before, sys.argv = sys.argv, ["bench", *map(str, words)]
    try:
        with contextlib.redirect_stdout(printed):
            main()
    except SystemExit as ended:
        assert not ended.code, f"bench {' '.join(map(str, words))} ended with {ended.code}"
    finally:
        sys.argv = before
    return printed.getvalue()


# ---- rows


def roll_out(store: Path, policy: str, suite: str, **settings: object) -> str:
    """Run it into the store; the id of the run."""
    from vlm4vla import run

    return str(run(policy, suite, store=store, **settings)["run"].iloc[0])


def rows(store: Path, run: str) -> Numbers:
    """Every column of every episode but clocks, memory, attempts and time stamps."""
    from vlm4vla.store import Store

    with Store.open(store) as opened:
        found: Numbers = {}
        for row in opened.episodes(run):
            trace = opened.trace(run, row.key)
            found[str(row.key)] = {
                "suite": row.key.suite,
                "task": row.key.task,
                "init": row.key.init,
                "seed": row.key.seed,
                "instruction": row.instruction,
                "outcome": row.outcome.value,
                "success_any": row.success_any,
                "success_last": row.success_last,
                "stages": [[name, bool(reached)] for name, reached in row.stages.items()],
                "measures": [[name, value] for name, value in row.measures.items()],
                "steps": row.steps,
                "queries": row.queries,
                "renders": row.renders,
                "error": row.error.value if row.error else None,
                "error_text": row.error_text,
                "video": row.video,
                "actions": trace.actions,
                "query_steps": list(trace.query_steps),
            }
        return found


STATED_SINCE = ("stand_in.art", "stand_in.shader", "episodes")
"""Facts of comparability that a run stated at 0.2.0 in other words (`art`, `shader`) or not at all:
that emoji which are not the paper's, and pictures without ray tracing, stand in for its own; and
which episodes the suite holds, which entered the run's id alone."""


def run_facts(store: Path, run: str) -> Numbers:
    """What enters a run's identity, without paths and the hash of the policy's code."""
    from vlm4vla.store import Store

    with Store.open(store) as opened:
        record = opened.run(run)
    code = record.checkpoint.startswith("code ")
    return {
        "policy": record.policy,
        "suite": record.suite,
        "simulator": record.simulator,
        "plan": [[k.suite, k.task, k.init, k.seed] for k in record.plan],
        "metrics": [asdict(metric) for metric in record.metrics],
        "success_rule": record.success_rule,
        "checkpoint": "code" if code else record.checkpoint,
        "training_split": record.training_split,
        "privileged": record.privileged,
        "protocol": record.protocol,
        "options": dict(record.options),
        "execution": record.execution,
        "seed": record.seed,
        "comparability": {
            name: value for name, value in record.comparability.items() if name not in STATED_SINCE
        },
        "status": record.status.value,
    }


def run_names(store: Path) -> dict[str, str]:
    """The store's runs: suite and policy (`broken` with faults, `learned` with a checkpoint)."""
    from vlm4vla.store import Store

    with Store.open(store) as opened:
        found = {}
        for run in opened.runs():
            label = "learned" if "checkpoint" in run.policy_options else run.policy
            label = "broken" if "fault" in run.options else label
            found[f"{run.suite} {label}"] = run.id
        return found


# ---- suites and campaigns


def suite_names() -> list[str]:
    """Those that ship."""
    from vlm4vla.suites import files

    return list(files.suite_names())


def suite_facts(name: str, protocol: str | None, options: Mapping[str, str]) -> Numbers:
    """Everything a suite file says, its episodes with every field."""
    from vlm4vla.suites.suite import load

    suite = load(name, protocol, dict(options))
    return {
        "name": suite.name,
        "summary": suite.summary,
        "simulator": suite.simulator,
        "options": dict(suite.options),
        "protocol": suite.protocol,
        "success": suite.success,
        "execution": suite.execution,
        "metrics": [asdict(metric) for metric in suite.metrics],
        "episodes": [
            {
                "suite": episode.key.suite,
                "task": episode.key.task,
                "init": episode.key.init,
                "seed": episode.key.seed,
                "instruction": episode.instruction,
                "max_steps": episode.max_steps,
                "setup": dict(episode.setup),
                "entropy": list(episode.key.entropy),
                "lot": episode.key.lot.hex(),
            }
            for episode in suite.episodes
        ],
    }


def protocols(name: str) -> list[str]:
    """`default` for the suite as it stands, then those it names."""
    from vlm4vla.suites.files import load_file

    return ["default", *load_file(name).protocols]


def campaigns() -> list[str]:
    """Those that ship."""
    from vlm4vla.core.files import shipped

    return sorted(path.stem for path in (shipped("benchmarks") / "campaigns").glob("*.yaml"))


def campaign_facts(name: str) -> Numbers:
    """The requests of a campaign's cells, were all checkpoints there."""
    from vlm4vla.runs.campaign import cells
    from vlm4vla.runs.request import RunRequest
    from vlm4vla.suites.campaign import load_campaign

    file = load_campaign(name)
    found = cells(file, Path("checkpoints"), RunRequest("", ""))
    return {
        "name": file.name,
        "table": file.table,
        "cells": [
            {
                "model": cell.row.model,
                "policy": cell.request.policy,
                "suite": cell.request.suite,
                "protocol": cell.request.protocol,
                "options": dict(cell.request.options),
                "execute": cell.request.execute,
                "checkpoint": _ending(cell.request.policy_options.get("checkpoint", "")),
            }
            for cell in found
        ],
    }


def _ending(path: str) -> str:
    """The path below the folder of checkpoints."""
    return path.rpartition("checkpoints")[2]


# ---- models


def vla_config(backbone: str, source: str, **changes: object) -> object:
    """A configuration by its 0.2.0 words.

    Args:
        backbone: a registered name.
        source: folder of its weights.
        changes: fields of VLAConfig at 0.2.0; `mrope`, `attention` and `options` of its Setup;
            `lora` a rank; `action` a mapping of ActionSpec's fields, with `gripper` (open, closed);
            `camera` (name, height, width, flip); `statistics` (name, q01, q99).
    """
    from vlm4vla.core.specs import ActionSpec, CameraRequest, Gripper
    from vlm4vla.core.statistics import ActionStatistics
    from vlm4vla.models.config import PARTS, LoRA, Setup, VLAConfig
    from vlm4vla.models.decoders.config import MLPConfig

    given = dict(changes)
    action = dict(given.pop("action", {}))  # type: ignore[call-overload]
    if "gripper" in action:
        action["gripper"] = Gripper(*action["gripper"])
    name, height, width, flip = given.pop("camera", ("top", 64, 64, "none"))  # type: ignore[misc]
    setup = Setup(
        **{key: given.pop(key) for key in ("mrope", "attention", "options") if key in given}
    )
    frozen = {"vision": ("vision", "projector")}
    still = [p for part in given.pop("frozen", ()) for p in frozen.get(part, (part,))]
    trained = dict.fromkeys(still, "none")
    if "lora" in given:
        rank = int(given.pop("lora"))  # type: ignore[call-overload]
        trained = dict.fromkeys(PARTS, "none") | {"language": LoRA(rank, 2.0 * rank)}
    decoder = {"chunk": 3} | {
        key: given.pop(key) for key in ("chunk", "arm_loss", "gripper_loss_weight") if key in given
    }
    if "statistics" in given:
        given["statistics"] = ActionStatistics(*given.pop("statistics"))  # type: ignore[misc]
    return VLAConfig(
        backbone, source, ActionSpec(**action), (CameraRequest(name, height, width, flip),),
        setup=setup, trained=trained, decoder=MLPConfig(**decoder), **{"image_size": 56} | given,
    )  # fmt: skip


def simulator_action(simulator: str, options: Mapping[str, str]) -> dict[str, object]:
    """A simulator's own convention, for `vla_config`'s `action`."""
    from dataclasses import fields

    from vlm4vla.simulators import plugin

    spec = plugin(simulator).describe(dict(options)).action
    names = (
        "control", "reference", "frame", "translation_scale", "rotation", "rotation_scale", "low",
        "high", "control_hz",
    )  # fmt: skip
    assert {field.name for field in fields(spec)} >= set(names)
    found = {name: getattr(spec, name) for name in names}
    return found | {"gripper": (spec.gripper.open, spec.gripper.closed)}


def build(config: object, seed: int) -> object:
    """The model that training would begin with."""
    import torch

    from vlm4vla.models.vla import VLA

    torch.manual_seed(seed)
    return VLA.build(config)


def query(model: object) -> object:
    """The parameter of the ActionQuery, (hidden,)."""
    return model.query


def losses(model: object, images: np.ndarray, texts: Sequence[str], actions, mask):
    """The model's loss and what it tells beside it, by their names at 0.2.0."""
    from vlm4vla.models.reading import Targets

    return dict(model.loss(model.prepare(images, list(texts)), Targets(actions, mask)))


def predict(model: object, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """(B, chunk, 7) in the dataset's units."""
    return model.predict(images, list(texts)).numpy()


def save(model: object, folder: Path, whole: bool) -> None:
    """Write a checkpoint."""
    from vlm4vla.models import checkpoint

    checkpoint.save(model, folder, whole=whole, training={"step": 7, "note": "proof"})


def load(folder: Path, source: Path | None = None) -> object:
    """Read a checkpoint."""
    from vlm4vla.models import checkpoint

    return checkpoint.load(folder, source=str(source) if source else None)


def checkpoint_facts(folder: Path) -> Numbers:
    """Its conventions, as an evaluation uses them."""
    from vlm4vla.models import manifest

    read = manifest.read(folder)
    config, action = read.config, read.config.action
    statistics, (camera,) = config.statistics, config.cameras
    return {
        "digest": read.digest,
        "whole": read.whole,
        "training": dict(read.training),
        "backbone": config.backbone,
        "chunk": config.chunk,
        "clip_norm": config.clip_norm,
        "image_size": config.image_size,
        "centre_crop": config.centre_crop,
        "execution": config.execution,
        "training_split": config.training_split,
        "camera": [camera.name, camera.height, camera.width, camera.flip, camera.colour],
        "control": action.control,
        "frame": action.frame,
        "translation_scale": list(action.translation_scale),
        "rotation": action.rotation,
        "rotation_scale": list(action.rotation_scale),
        "gripper": [action.gripper.open, action.gripper.closed],
        "q01": list(statistics.q01) if statistics else None,
        "q99": list(statistics.q99) if statistics else None,
    }  # fmt: skip


# ---- demonstrations and training


def record_demonstrations(out: Path, suite: str, *words: object) -> None:
    """`bench demos`."""
    bench("demos", "--suite", suite, "--out", out, "--slots", 1, *words)


def samples(path: Path, chunk: int, convention: str | None = None) -> Iterator[Numbers]:
    """What training sees of a folder, after the facts of the whole set."""
    from vlm4vla.core.conventions import named
    from vlm4vla.core.specs import CameraRequest
    from vlm4vla.demonstrations.open import open_demonstrations
    from vlm4vla.demonstrations.samples import Chunks

    data = open_demonstrations(path, named(convention) if convention else None)
    chunks = Chunks([data], chunk, [CameraRequest(name, flip=data.flip) for name in data.cameras])
    yield {
        "cameras": list(data.cameras),
        "tail": data.tail,
        "flip": data.flip,
        "recipe": data.recipe,
        "robot": data.robot,
        "lengths": [trajectory.length for trajectory in data.trajectories],
        "pictured": [[int(s) for s in trajectory.pictured] for trajectory in data.trajectories],
        "rotation": data.action.rotation,
        "translation_scale": list(data.action.translation_scale),
        "control_hz": data.action.control_hz,
        "all_actions": chunks.all_actions(),
    }
    for i in range(len(chunks)):
        sample = chunks[i]
        yield {
            "images": {name: np.asarray(frames[-1]) for name, frames in sample.images.items()},
            "instruction": sample.instruction,
            "actions": sample.actions,
            "mask": sample.mask,
        }


def foreign_layouts(folder: Path) -> dict[str, tuple[Path, str | None]]:
    """Small data sets as other programs write them: name -> path, convention."""
    from tests.demonstrations import layouts

    return {
        "libero": (layouts.libero(folder / "a.hdf5"), None),
        "calvin": (layouts.calvin(folder / "calvin"), None),
        "lerobot_v2": (layouts.lerobot_v2(folder / "v2", filmed=False), "bridge"),
        "lerobot_v3": (layouts.lerobot_v3(folder / "v3"), "fractal"),
    }


def train(out: Path, data: Path, *words: object) -> None:
    """`bench train` of the toy backbone, single-threaded and without company."""
    bench(
        "train", "--backbone", "toy", "--data", data, "--out", out, "--precision", "fp32",
        "--workers", 0, "--log-every", 1, *words,
    )  # fmt: skip


def small_source(folder: Path) -> Path:
    """An aligned folder whose sentence encoder has two layers and whose trunk is random."""
    import torch
    from transformers import BertConfig, BertModel

    from tests.models import tiny
    from vlm4vla.models.config import Setup
    from vlm4vla.studies.emoji.network.backbone import MobileNetMiniLM
    from vlm4vla.studies.emoji.network.text import SentenceEncoder

    tiny.tokenizer().save_pretrained(folder / "text")
    config = BertConfig(vocab_size=tiny.VOCABULARY, hidden_size=32, num_hidden_layers=2,
                        num_attention_heads=2, intermediate_size=32)  # fmt: skip
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder / "text")
    MobileNetMiniLM(Setup(), SentenceEncoder(folder / "text")).save(folder)
    return folder


def train_small(source: Path, data: Path, out: Path, scratch: bool) -> list[tuple[int, Numbers]]:
    """A few steps of the small VLA: (step, metrics) as they were told at 0.2.0."""
    from vlm4vla.studies.emoji import small

    told: list[tuple[int, Numbers]] = []
    later = {"gradient_norm", "lr", "samples_per_s", "seconds"}

    def tell(line: object) -> None:
        told.append((line.step, {n: v for n, v in line.values.items() if n not in later}))

    small.train(_small_settings(source, data, out, scratch), tell)
    return told


def small_gradients(source: Path, data: Path, out: Path, scratch: bool) -> object:
    """The small VLA before its first step: its losses, and the model with their gradients."""
    import torch

    from vlm4vla.models.vla import VLA
    from vlm4vla.studies.emoji import small

    plan = small.plan_of(_small_settings(source, data, out, scratch))
    torch.manual_seed(plan.settings.seed)
    model = VLA.build(plan.config)
    plan.source.open(model)
    model.eval()
    batch = plan.source.memory.batch(np.arange(3))
    found = model.loss(batch.inputs, batch.targets)
    found["loss"].backward()
    return found, model


def _small_settings(source: Path, data: Path, out: Path, scratch: bool):
    from vlm4vla.studies.emoji.small import SmallSettings

    return SmallSettings(
        data, source, out, scratch=scratch, steps=4, batch=2, warmup=1, held_out=0.25
    )


def tiny_backbones() -> list[str]:
    """Names of the backbones there are tiny checkpoints of."""
    from tests.models import tiny

    return list(tiny.CONFIGS)


def tiny_backbone(name: str, folder: Path) -> tuple[Path, dict[str, object]]:
    """A tiny checkpoint of the true class, and the options that keep its pictures small."""
    from tests.models import tiny

    return tiny.make(name, folder), dict(tiny.OPTIONS[name])


def read_json(text: str) -> object:
    """What a verb printed with --json."""
    return json.loads(text)
