"""Writes the fixtures: `python -m tests.proof.record [PART ...]`.

It was run once, at version 0.2.0 (commit e8628cd), before the redesign began. Run again on later
code it would record that code, and the tests would then prove nothing: a fixture changes only
together with a sentence in the changelog that says which number moved and why.

Parts: checkpoints, demonstrations, store, then what is computed from them: rows, suites, backbones,
training, small, files, verbs.
"""

from __future__ import annotations

import lzma
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.proof import cases, entry
from tests.proof.archives import unpack, unpack_store
from tests.proof.golden import FIXTURES, machine, write

_WORKPLACES = (b"/wo" + b"rk/", b"/ho" + b"me/", b"/ro" + b"ot/")
"""Folders of whoever records have no business in a fixture."""


def thin(module: object, seed: int) -> None:
    """Weights that are worth something and compress: few numbers that are not 0, all powers of 2.

    Every output of a layer reads eight of its inputs.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "norm" in name or name.endswith("bias"):
                continue  # ones and zeros as they are made
            sign = torch.randint(0, 2, parameter.shape, generator=generator) * 2.0 - 1.0
            if parameter.dim() < 2 or "words" in name or "places" in name:
                parameter.copy_(sign / 2)
                continue
            flat = torch.zeros(parameter.shape[0], parameter[0].numel())
            chosen = torch.rand(flat.shape, generator=generator).topk(min(8, flat.shape[1]), 1)
            flat.scatter_(1, chosen.indices, 0.5)
            parameter.copy_(flat.reshape(parameter.shape) * sign)


def checkpoints(folder: Path) -> None:
    """A VLA with the toy backbone for each simulator's convention, and one with LoRA."""
    action = {
        "toy": entry.simulator_action("toy", {}),
        "emoji": entry.simulator_action("grinningface", {"robot": "panda"}),
        "calvin": entry.simulator_action("calvin", {"cameras": "static"}),
    }
    action["emoji"]["gripper"] = tuple(reversed(action["emoji"]["gripper"]))
    more = {
        "toy": {"camera": ("top", 64, 64, "none"), "execution": "half", "chunk": 4},
        "emoji": {
            "camera": ("view", 64, 64, "rotate180"), "chunk": 5, "clip_norm": 1.0,
            "statistics": ("proof", (-0.5,) * 3 + (-0.25,) * 3, (0.25,) * 3 + (0.5,) * 3),
        },
        "calvin": {"camera": ("static", 200, 200, "none"), "chunk": 10, "centre_crop": 0.9},
    }  # fmt: skip
    for name in cases.CHECKPOINTS:
        config = entry.vla_config(
            "toy", "", action=action[name], training_split=f"proof {name}", **more[name]
        )
        model = entry.build(config, seed=1)
        thin(model, seed=11)
        entry.save(model, folder / cases.WHOLE[name], whole=True)
    model.backbone.save(folder / cases.BASE)
    lora = entry.vla_config(
        "toy", str(folder / cases.BASE), action=action["toy"], lora=2, **more["toy"]
    )
    model = entry.build(lora, seed=1)
    state = {n: p.detach().clone() for n, p in model.backbone.named_parameters()}
    thin(model, seed=13)
    parameters = dict(model.backbone.named_parameters())
    for name, value in state.items():
        if ".lora_" not in name:
            parameters[name].data.copy_(value)
    entry.save(model, folder / cases.PARTLY, whole=False)


def demonstrations(folder: Path) -> None:
    """What `bench demos` writes of each simulator: few episodes, small pictures."""
    entry.record_demonstrations(folder / "toy", "toy", "--episodes", 2, "--frames", 4, "--size", 32)
    entry.record_demonstrations(
        folder / "emoji", "grinningface_demos", "--set", "robot=panda", "--episodes", 4,
        "--frames", 1, "--size", 448,
    )  # fmt: skip
    entry.record_demonstrations(folder / "calvin", "calvin_debug", "--episodes", 1, "--frames", 3)


def store(folder: Path) -> None:
    """Runs of three simulators, one with an error, and an import."""
    path = folder / "bench.db"
    with unpack("checkpoints", folder) as known:
        for case in cases.CASES:
            if case.label not in ("ensemble", "lora"):
                entry.roll_out(path, case.policy, case.suite, **cases.settings_of(case, known))
    recording = Path(__file__).parents[1] / "store" / "vla_eval" / "recording.sqlite"
    entry.bench("import", recording, "--store", path)
    _clean(path)
    (FIXTURES / "store_v2.sqlite.xz").write_bytes(lzma.compress(path.read_bytes(), preset=9))


def rows(folder: Path) -> None:
    """Of every case: from the store if it is in there, otherwise from a run of its own."""
    path = unpack_store(folder)
    runs = entry.run_names(path)
    found = {}
    with unpack("checkpoints", folder) as known:
        for case in cases.CASES:
            if case.name in runs:
                found[case.name] = cases.collected(path, runs[case.name])
            else:
                found[case.name] = cases.roll_out(case, known, folder / f"{case.label}.db")
    write("rows", {"machine": machine(), "cases": found})


def suites(folder: Path) -> None:
    """Of every shipped suite and campaign."""
    write("suites", {
        "suites": {
            name: {p: cases.suite_hashes(name, p) for p in entry.protocols(name)}
            for name in entry.suite_names()
        },
        "campaigns": {name: entry.campaign_facts(name) for name in entry.campaigns()},
    })  # fmt: skip


def backbones(folder: Path) -> None:
    """Of every variant of every tiny backbone."""
    write("backbones", {"machine": machine(), "variants": {
        name: cases.backbone_numbers(name, folder / str(number))
        for number, name in enumerate(cases.VARIANTS)
    }})  # fmt: skip


def training(folder: Path) -> None:
    """Of short trainings."""
    with unpack("demonstrations", folder) as data, unpack("checkpoints", folder) as known:
        write("training", {"machine": machine(), "trainings": {
            name: cases.training_numbers(name, folder / str(number), data, known)
            for number, name in enumerate(cases.TRAININGS)
        }})  # fmt: skip


def small(folder: Path) -> None:
    """Of the small VLA."""
    with unpack("demonstrations", folder):
        write("small", {"machine": machine(), **{
            name: cases.small_numbers(scratch, folder / name, folder / "demonstrations")
            for name, scratch in (("pretrained", False), ("scratch", True))
        }})  # fmt: skip


def files(folder: Path) -> None:
    """Of the checkpoints and demonstrations."""
    with unpack("checkpoints", folder), unpack("demonstrations", folder):
        (folder / "foreign").mkdir()
        foreign = entry.foreign_layouts(folder / "foreign")
        write("files", {
            "machine": machine(),
            "checkpoints": {
                name: cases.checkpoint_numbers(name, folder / "checkpoints")
                for name in (*cases.WHOLE.values(), cases.PARTLY)
            },
            "demonstrations": {
                name: cases.demonstration_numbers(folder / "demonstrations" / name)
                for name in cases.DEMONSTRATIONS
            },
            "foreign": {n: cases.demonstration_numbers(*foreign[n]) for n in cases.FOREIGN},
        })  # fmt: skip


def verbs(folder: Path) -> None:
    """Of what is read from the store."""
    path = unpack_store(folder)
    runs = entry.run_names(path)
    write("verbs", {
        "machine": machine(),
        "runs": runs,
        "store": {n: cases.told(words, path) for n, words in cases.store_verbs(runs).items()},
        "plans": {name: cases.told(words, None) for name, words in cases.PLANS.items()},
        "export": cases.exported(path, folder / "all.parquet"),
        "replays": {
            f"{suite} {policy}": cases.told(
                ("replay", runs[f"{suite} {policy}"], "--episode", episode), path
            )
            for suite, policy, episode in cases.STORED
        },
        "rows": {name: entry.rows(path, run) for name, run in runs.items()},
    })  # fmt: skip


PACKED = {"checkpoints": checkpoints, "demonstrations": demonstrations}
COMPUTED: dict[str, Callable[[Path], None]] = {
    f.__name__: f for f in (store, rows, suites, backbones, training, small, files, verbs)
}


def _clean(path: Path) -> None:
    """Refuse a file that names the place it was made in."""
    text = path.read_bytes()
    guilty = [word for word in _WORKPLACES if word in text]
    assert not guilty, f"{path.name} holds {guilty}: record from a folder under the system's temp"


@contextmanager
def _ray() -> Iterator[None]:
    from vlm4vla.rollout.cluster import cluster

    with cluster():
        yield


def main(parts: list[str]) -> None:
    """Record these parts, or all."""
    FIXTURES.mkdir(exist_ok=True)
    wanted = parts or [*PACKED, *COMPUTED]
    place = Path(tempfile.gettempdir()) / "proof"
    place.mkdir(exist_ok=True)
    played = {"demonstrations", "store", "rows"} & set(wanted)
    with _ray() if played else nullcontext():
        for part in wanted:
            with tempfile.TemporaryDirectory(dir=place) as name:
                folder = Path(name)
                if part in PACKED:
                    PACKED[part](folder / part)
                    for path in sorted((folder / part).rglob("*")):
                        if path.is_file():
                            _clean(path)
                    with (
                        lzma.open(FIXTURES / f"{part}.tar.xz", "w", preset=9) as packed,
                        tarfile.open(fileobj=packed, mode="w") as tar,
                    ):
                        tar.add(folder / part, part)
                else:
                    COMPUTED[part](folder)
            print(part, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
