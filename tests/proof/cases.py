"""What is computed, once to be recorded and ever after to be compared."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.proof import entry
from tests.proof.golden import content, digest

INSTRUCTIONS = ["lift it", "put the red block in the drawer, then open the door", "go"]
CHECKPOINTS = ("toy", "emoji", "calvin")
WHOLE = {name: f"{name}-whole" for name in CHECKPOINTS}
PARTLY = "toy-lora"
BASE = "toy-base"


@contextmanager
def one_thread() -> Iterator[None]:
    """As an evaluation runs, and put back afterwards."""
    import torch

    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(exact)


def frames(count: int, side: int = 80, seed: int = 0) -> np.ndarray:
    """Smooth pictures (count, side, side, 3) uint8."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side] / side
    waves = rng.uniform(1, 9, (count, 3, 2))
    phase = waves[..., :1, None] * rows + waves[..., 1:, None] * columns
    return (127.5 + 127.5 * np.sin(phase)).transpose(0, 2, 3, 1).astype(np.uint8)


# ---- rows of runs


@dataclass(frozen=True)
class Case:
    """One policy on one suite."""

    suite: str
    policy: str
    settings: dict[str, object] = field(default_factory=dict)
    label: str = ""
    checkpoint: str = ""
    simulator: str = "toy"

    @property
    def name(self) -> str:
        """Key in the fixture."""
        return f"{self.suite} {self.label or self.policy}"


_EMOJI: dict[str, object] = {"options": {"robot": "panda"}, "episodes": 2}
_CHAIN: dict[str, object] = {"episodes": 1}
CASES = [
    Case("toy", "expert", {"episodes": 3}),
    Case("toy", "random", {"episodes": 2}),
    Case("toy", "vla", {"episodes": 2}, "learned", WHOLE["toy"]),
    Case("toy", "toy", {"episodes": 1, "execute": "ensemble"}, "ensemble", WHOLE["toy"]),
    Case("toy", "vla", {"episodes": 1, "seed": 3}, "lora", PARTLY),
    Case("toy", "expert", {"inits": (0, 1), "tasks": ("near",), "retries": 1,
         "options": {"fault": "raise", "fault_inits": "1"}}, "broken"),
    Case("grinningface_val", "expert", _EMOJI, simulator="grinningface"),
    Case("grinningface_val", "random", _EMOJI, simulator="grinningface"),
    Case("grinningface_val", "vla", _EMOJI, "learned", WHOLE["emoji"], "grinningface"),
    Case("calvin_debug", "expert", {"episodes": 2}, simulator="calvin"),
    Case("calvin_debug", "random", _CHAIN, simulator="calvin"),
    Case("calvin_debug", "vla", _CHAIN, "learned", WHOLE["calvin"], "calvin"),
]  # fmt: skip
SOFTWARE = ("mani_skill", "sapien", "pybullet", "renderer", "driver")
"""Facts of comparability that another machine may not share, and that may move last bits."""


def settings_of(case: Case, checkpoints: Path) -> dict[str, object]:
    """Of `entry.roll_out`."""
    given = dict(case.settings)
    if case.checkpoint:
        options = {"checkpoint": str(checkpoints / case.checkpoint)}
        if case.checkpoint == PARTLY:
            options["source"] = str(checkpoints / BASE)
        given["policy_options"] = options
    return {"slots": 1, **given}


def roll_out(case: Case, checkpoints: Path, store: Path) -> dict[str, object]:
    """Run it, and collect."""
    run = entry.roll_out(store, case.policy, case.suite, **settings_of(case, checkpoints))
    return collected(store, run)


def collected(store: Path, run: str) -> dict[str, object]:
    """The facts of the run, and its rows with their actions hashed."""
    rows = entry.rows(store, run)
    for row in rows.values():
        row["actions"] = digest(row["actions"], head=70)
        # The traceback names files and lines of the harness; its last line is the error.
        row["error_text"] = (row["error_text"].strip().splitlines() or [""])[-1]
    return {"run": entry.run_facts(store, run), "rows": rows}


# ---- suites and campaigns


def suite_hashes(name: str, protocol: str) -> dict[str, object]:
    """A suite under a protocol (`default`: as it stands); its episodes as a hash."""
    robot = {"robot": "panda"} if name.startswith("grinningface") else {}
    facts = entry.suite_facts(name, None if protocol == "default" else protocol, robot)
    episodes = facts.pop("episodes")
    return {**facts, "count": len(episodes), "first": episodes[0], "hash": content(episodes)}


# ---- backbones

VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    **{name: (name, {}) for name in entry.tiny_backbones()},
    "flat": ("qwen3vl-4b", {"mrope": "flat"}),
    "image attention": ("paligemma-2", {"attention": "image"}),
    "causal attention": ("paligemma-1", {"attention": "causal"}),
    "lora": ("qwen3vl-4b", {"lora": 4}),
    "frozen": ("qwen2.5vl-3b", {"frozen": ("vision", "word_embeddings")}),
    "scratch": ("qwen2.5vl-3b", {"scratch": True}),
    "table": ("kosmos-2", {
        "arm_loss": "mse", "gripper_loss_weight": 1.0, "clip_norm": 1.0, "centre_crop": 0.9,
        "action": {"gripper": (1.0, 0.0)},
        "statistics": ("proof", (-0.03,) * 3 + (-0.2,) * 3, (0.04,) * 3 + (0.3,) * 3)}),
}  # fmt: skip
"""Name -> backbone, what is changed of its configuration."""
QUICK = ("qwen3vl-4b", "paligemma-1", "lora")


def backbone_numbers(variant: str, folder: Path) -> dict[str, object]:
    """Weights, loss, gradients and actions of a tiny VLA, and a second of its own steps."""
    import torch

    name, changes = VARIANTS[variant]
    source, options = entry.tiny_backbone(name, folder)
    with one_thread():
        model = entry.build(entry.vla_config(name, str(source), options=options, **changes), seed=1)
        state = {entry.old_name(key): value for key, value in model.state_dict().items()}
        weights = {key: digest(value, 0)["sha256"] for key, value in state.items()}
        with torch.no_grad():
            query = entry.query(model)
            query.copy_(torch.linspace(-1, 1, query.numel()))
        numbers = learning(model, side=80)
    return {"weights": content(weights), "tensors": sorted(weights), **numbers}


def learning(model: object, side: int) -> dict[str, object]:
    """Loss, gradients and actions of any VLA on fixed inputs."""
    import torch

    rng = np.random.default_rng(5)
    chunk = model.config.chunk
    actions = rng.uniform(-1, 1, (3, chunk, 7))
    actions[..., 6] = np.sign(actions[..., 6])
    mask = torch.ones(3, chunk) > 0
    mask[1, 1:] = False
    torch.manual_seed(2)
    model.train()
    found = entry.losses(
        model, frames(3, side), INSTRUCTIONS, torch.from_numpy(actions).float(), mask
    )
    found["loss"].backward()
    gradients = {
        entry.old_name(name): digest(p.grad, 4)
        for name, p in model.named_parameters()
        if p.grad is not None
    }
    model.eval()
    predicted = entry.predict(model, frames(3, side, seed=1), INSTRUCTIONS)
    return {
        "losses": {name: float(value.detach()) for name, value in found.items()},
        "gradients": gradients,
        "actions": digest(predicted, 63),
    }


# ---- training

TRAININGS: dict[str, tuple[str, tuple[object, ...]]] = {
    "augmented": ("libero", ("--statistics", "own", "--augment", "openvla", "--steps", 6,
                             "--save-every", 3, "--batch", 4)),
    "lora": ("libero", ("--lora", 2, "--steps", 3, "--batch", 2, "--lr", 1e-3)),
    "held out": ("calvin", ("--holdout", 0.5, "--freeze", "vision", "--steps", 3, "--batch", 4,
                            "--micro-batch", 2, "--clip-gradients", 0.5)),
    "ours": ("toy", ("--recipe", "emoji", "--preset", "paper", "--steps", 3, "--batch", 4,
                     "--seed", 5)),
}  # fmt: skip
"""Name -> data, flags."""
COLUMNS = (
    "step", "loss", "arm", "gripper", "gripper_accuracy", "gradient_norm", "lr", "held_out_loss",
    "held_out_arm", "held_out_gripper_accuracy",
)  # fmt: skip


def training_numbers(
    name: str, folder: Path, demonstrations: Path, checkpoints: Path
) -> dict[str, object]:
    """The metrics of a short training, its final weights, and what it then does."""
    data, flags = TRAININGS[name]
    layouts = folder / "data"
    layouts.mkdir(parents=True)
    own = {"toy": demonstrations / "toy"}
    path = own[data] if data in own else entry.foreign_layouts(layouts)[data][0]
    with one_thread():
        entry.train(folder / "out", path, "--source", checkpoints / BASE, *flags)
        with (folder / "out" / "metrics.csv").open(newline="") as file:
            metrics = [{n: row.get(n) or None for n in COLUMNS} for row in csv.DictReader(file)]
        numbers = [{n: v and float(v) for n, v in row.items()} for row in metrics]
        return {"metrics": numbers, **after(folder / "out", checkpoints / BASE)}


def after(folder: Path, source: Path) -> dict[str, object]:
    """Weights and actions of a trained checkpoint."""
    model = entry.load(folder, source)
    weights = {entry.old_name(n): digest(v, 3) for n, v in model.state_dict().items()}
    predicted = entry.predict(model, frames(3, 64, seed=1), INSTRUCTIONS)
    return {"weights": weights, "actions": digest(predicted, 63)}


def small_numbers(scratch: bool, folder: Path, demonstrations: Path) -> dict[str, object]:
    """A few steps of the small VLA, the gradients before them and the actions after them."""
    with one_thread():
        source = entry.small_source(folder / "source")
        data = demonstrations / "emoji"
        found, model = entry.small_gradients(source, data, folder / "before", scratch)
        gradients = {
            entry.old_name(name): digest(p.grad, 4)
            for name, p in model.named_parameters()
            if p.grad is not None
        }
        told = entry.train_small(source, data, folder / "out", scratch)
        trained = entry.load(folder / "out")
        weights = {entry.old_name(n): digest(v, 3) for n, v in trained.state_dict().items()}
        texts = ["Pick the cube and place it on the fox", "Pick the cube and place it on a pear"]
        predicted = entry.predict(trained, frames(2, 448, seed=1), texts)
    return {
        "losses": {name: float(value.detach()) for name, value in found.items()},
        "gradients": gradients,
        "told": [[step, dict(values)] for step, values in told],
        "weights": weights,
        "actions": digest(predicted, 63),
    }


# ---- files


def checkpoint_numbers(name: str, checkpoints: Path) -> dict[str, object]:
    """What a committed checkpoint says and does."""
    source = checkpoints / BASE if name == PARTLY else None
    with one_thread():
        model = entry.load(checkpoints / name, source)
        predicted = entry.predict(model, frames(3, 96, seed=1), INSTRUCTIONS)
    return {"facts": entry.checkpoint_facts(checkpoints / name), "actions": digest(predicted, 63)}


DEMONSTRATIONS = ("toy", "emoji", "calvin")
FOREIGN = ("libero", "calvin", "lerobot_v2", "lerobot_v3")


def demonstration_numbers(path: Path, convention: str | None = None) -> dict[str, object]:
    """Facts of a set, and every sample hashed."""
    facts, *samples = entry.samples(path, 6, convention)
    kept = [{"instruction": s["instruction"], "hash": content(s)} for s in samples]
    return {"facts": facts, "first": samples[0], "samples": kept}


STORED = (
    ("toy", "expert", "near/1"), ("toy", "random", "far/0"),
    ("grinningface_val", "expert", "pick_place/0"), ("calvin_debug", "expert", "chain/0"),
)  # fmt: skip
"""Suite, policy, episode of the committed store that are played again."""


def store_verbs(runs: dict[str, str]) -> dict[str, tuple[object, ...]]:
    """Name -> a reading command; `runs` gives the ids in the committed store."""
    shown = {f"show {name}": ("show", run) for name, run in runs.items()}
    toy = runs["toy expert"], runs["toy random"]
    emoji = runs["grinningface_val expert"], runs["grinningface_val random"]
    return {
        **shown,
        "episode": ("show", runs["toy broken"], "--episode", "near/1"),
        "leaderboard": ("leaderboard",),
        "leaderboard all by task": ("leaderboard", "--all", "--by-task"),
        "leaderboard published": ("leaderboard", "--published"),
        "leaderboard imported": ("leaderboard", "--imported"),
        "leaderboard decomposition": ("leaderboard", "--decomposition"),
        "campaign 1": ("leaderboard", "--campaign", "vlm4vla_table1"),
        "campaign 2": ("leaderboard", "--campaign", "vlm4vla_table2"),
        "compare toy": ("compare", *toy),
        "compare toy unpaired": ("compare", *toy, "--unpaired", "--by-task"),
        "compare emoji": ("compare", *emoji, "--margin", 20),
        "import list": ("import", "--list"),
        "vqa list": ("vqa", "list"),
        "correlate": ("correlate", "--published", "--vqa", "MMMU"),
        "screen": ("correlate", "--published", "--screen"),
    }


PLANS = {
    "plan rate": ("plan", "--precision", 3, "--difference", 5),
    "plan mean": ("plan", "--mean", "--precision", 0.1, "--difference", 0.2),
    "plan suite": ("plan", "--suite", "toy", "--difference", 10, "--rate", 70),
}


def told(words: tuple[object, ...], store: Path | None) -> object:
    """What the command prints as JSON."""
    place = ("--store", store) if store else ()
    return entry.read_json(entry.bench(*words, *place, "--json"))


def exported(store: Path, out: Path) -> dict[str, object]:
    """`bench export` of everything: column -> values."""
    import pandas as pd

    entry.bench("export", "--out", out, "--store", store)
    table = pd.read_parquet(out)
    return {name: json.loads(table[name].to_json(orient="values", double_precision=15))
            for name in table.columns}  # fmt: skip
