"""Evaluation kits, which run in a Python of their own: found, started, and their files read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput, InvalidFile, MissingEnvironment, UnknownName
from vlm4vla.models.manifest import EXPORTED
from vlm4vla.store.importers import Asked, Found, read

_PROBE = "import importlib.util as i, sys; print(i.find_spec(sys.argv[1]).origin)"
_PROBE_S = 60.0
_STDERR = 2


@dataclass(frozen=True)
class Evaluation:
    """What a kit is asked to do."""

    model: Path
    """A folder of transformers, e.g. one of `bench vqa export`."""
    tasks: tuple[str, ...]
    out: Path
    limit: int | None
    """Only so many questions of each task."""
    options: Mapping[str, str]
    """Further arguments of the kit's class of model."""


@dataclass(frozen=True)
class Kit:
    """One evaluation kit."""

    name: str
    package: str
    install: str
    """What makes a Python that has it, and names it."""
    command: Callable[[Path, Evaluation], list[str]]
    """The line to run behind the Python, given where the package lies."""
    files: tuple[str, ...]
    """Patterns of the files whose scores are read."""


def _model_type(folder: Path) -> str:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(config["model_type"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"{folder} is no model folder: it has no config.json that names a model_type.",
            "A checkpoint of bench train is made into one by: bench vqa export CKPT OUT",
        ) from error


_LMMS = {"qwen2_5_vl": "qwen2_5_vl", "qwen3_vl": "qwen3_vl", "qwen3_vl_moe": "qwen3_vl"}
_VLMEVAL = {
    "qwen2_5_vl": "Qwen2VLChat", "qwen3_vl": "Qwen3VLChat", "qwen3_vl_moe": "Qwen3VLChat",
    "paligemma": "PaliGemma", "kosmos-2": "Kosmos2",
}  # fmt: skip
"""model_type -> the kit's class for it."""


def _lmms_eval(package: Path, asked: Evaluation) -> list[str]:
    kind = _LMMS.get(_model_type(asked.model), "huggingface")
    arguments = {"pretrained": str(asked.model), **asked.options}
    return [
        "-m", "lmms_eval", "--model", kind, "--tasks", ",".join(asked.tasks),
        "--model_args", ",".join(f"{key}={value}" for key, value in arguments.items()),
        "--batch_size", "1", "--log_samples", "--output_path", str(asked.out),
        *(["--limit", str(asked.limit)] if asked.limit is not None else []),
    ]  # fmt: skip


_LAUNCH = """
import functools, json, runpy, sys
import vlmeval.config, vlmeval.vlm
script, name, kind, arguments = sys.argv[1:5]
model = functools.partial(getattr(vlmeval.vlm, kind), **json.loads(arguments))
vlmeval.config.supported_VLM[name] = model
sys.argv = [script, "--model", name, *sys.argv[5:]]
runpy.run_path(script, run_name="__main__")
"""
"""VLMEvalKit takes models by names it knows; ours gets one for this evaluation."""


def _vlmevalkit(package: Path, asked: Evaluation) -> list[str]:
    kind, script = _model_type(asked.model), package.parents[1] / "run.py"
    if kind not in _VLMEVAL:
        raise BadInput(f"VLMEvalKit has no class for a {kind}.", "Take --kit lmms-eval.")
    if asked.limit is not None:
        raise BadInput("VLMEvalKit asks every question.", "Leave --limit out.")
    if not script.is_file():
        raise MissingEnvironment(f"There is no {script} beside the package.", _EDITABLE)
    arguments = json.dumps({"model_path": str(asked.model), **asked.options})
    return [
        "-c", _LAUNCH, str(script), asked.model.name, _VLMEVAL[kind], arguments,
        "--data", *asked.tasks, "--work-dir", str(asked.out), "--judge", "exact_matching",
    ]  # fmt: skip


_EDITABLE = (
    "git clone https://github.com/open-compass/VLMEvalKit && python3 -m venv VLMEvalKit/.venv && "
    "VLMEvalKit/.venv/bin/pip install -e VLMEvalKit; then --python VLMEvalKit/.venv/bin/python"
)
KITS = {
    kit.name: kit
    for kit in (
        Kit(
            "lmms-eval", "lmms_eval",
            "python3 -m venv ~/lmms-eval && ~/lmms-eval/bin/pip install lmms-eval; "
            "then --python ~/lmms-eval/bin/python",
            _lmms_eval, ("*_results.json",),
        ),
        Kit(
            "vlmevalkit", "vlmeval", _EDITABLE, _vlmevalkit,
            ("*_acc.csv", "*_score.csv", "*_acc.json", "*_score.json"),
        ),
    )
}  # fmt: skip


def evaluate(name: str, python: str, asked: Evaluation) -> list[tuple[Path, Found]]:
    """Run a kit and read what it wrote; its own output goes to ours.

    Args:
        name: of the kit.
        python: the interpreter that has it.
        asked: what it is to do; `out` is made.

    Returns:
        Each file of scores that this evaluation wrote, and what it holds.

    Raises:
        UnknownName: no such kit.
        MissingEnvironment: there is no such Python, or the kit is not in it.
        BadInput: no model there, or the kit failed.
        InvalidFile: it wrote no scores.
    """
    UnknownName.check("kit", [name], KITS)
    kit = KITS[name]
    command = shutil.which(os.path.expanduser(python))
    if command is None:
        raise MissingEnvironment(f"There is no Python at '{python}'.", kit.install)
    # Ours must not be seen there: the kit has a transformers of its own.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    probe = subprocess.run(
        [command, "-c", _PROBE, kit.package], capture_output=True, text=True, timeout=_PROBE_S,
        env=environment,
    )  # fmt: skip
    if probe.returncode:
        raise MissingEnvironment(f"{command} has no {kit.name}.", kit.install)
    asked = replace(asked, model=asked.model.absolute(), out=asked.out.absolute())
    line = kit.command(Path(probe.stdout.strip()), asked)
    asked.out.mkdir(parents=True, exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in _written(kit, asked.out)}
    done = subprocess.run([command, *line], env=environment, stdout=_STDERR)
    if done.returncode:
        raise BadInput(f"{kit.name} ended with code {done.returncode}.", "It says why above.")
    fresh = [p for p in _written(kit, asked.out) if before.get(p) != p.stat().st_mtime_ns]
    if not fresh:
        raise InvalidFile(f"{kit.name} wrote no scores into {asked.out}.", "It says why above.")
    facts = _facts(asked.model)
    read_all = ((path, read(path, Asked(model=asked.model.name), kit.name)) for path in fresh)
    return [(path, _tied(found, facts) if facts else found) for path, found in read_all]


def _facts(model: Path) -> Mapping[str, JSON]:
    """What `bench vqa export` said of the folder; empty for any other."""
    path = model / EXPORTED
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _tied(found: Found, facts: Mapping[str, JSON]) -> Found:
    """The scores with the checkpoint they belong to: they are not its backbone's own."""
    said = f"{facts.get('backbone')} after training, checkpoint {facts.get('checkpoint')}"
    scores = tuple(
        replace(score, backbone="", note="; ".join(part for part in (score.note, said) if part))
        for score in found.scores
    )
    return replace(found, scores=scores, provenance={**found.provenance, "model": dict(facts)})


def _written(kit: Kit, out: Path) -> list[Path]:
    # What lies a level up are links to the files of the latest evaluation.
    found = (path for pattern in kit.files for path in out.rglob(pattern))
    return sorted(path for path in found if path.is_file() and not path.is_symlink())
