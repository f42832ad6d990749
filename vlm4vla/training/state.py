"""What a training needs to go on: checkpoints of the policy, and the state of the optimiser.

```
OUT/train.json            what is trained, on what: a continuation must agree
OUT/metrics.csv, tensorboard/
OUT/step-00001000/        a policy, as `bench run --checkpoint` takes it
OUT/state/step-00001000/  weights and optimiser of the newest step, written by Accelerate
OUT/vla.json, ...         the finished policy
```
Folders appear under their name only when they are complete, so a kill at any moment leaves either
the old state or the new one.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from vlm4vla.core.errors import BadInput, RunConflict
from vlm4vla.core.files import write_whole
from vlm4vla.models import manifest as manifests

_SETTINGS = "train.json"
_STEP = re.compile(r"step-(\d{8})")


def policy_folder(out: Path, step: int) -> Path:
    """Where the policy of that step lies."""
    return out / f"step-{step:08d}"


def state_folder(out: Path, step: int) -> Path:
    """Where the training state of that step lies."""
    return out / "state" / f"step-{step:08d}"


def newest(out: Path) -> int:
    """The last step whose state is complete; 0 if there is none."""
    found = [_STEP.fullmatch(path.name) for path in (out / "state").glob("step-*")]
    return max((int(match[1]) for match in found if match), default=0)


def has_policy(out: Path, step: int) -> bool:
    """Whether a policy of that step lies in `out` or in its own folder."""
    for folder in (out, policy_folder(out, step)):
        with suppress(BadInput):  # no policy there, or none that can be read
            if manifests.read(folder).training.get("step") == step:
                return True
    return False


def check_folder(out: Path, identity: Mapping[str, str]) -> int:
    """How many steps the training in `out` has behind it; 0 where there is none yet.

    Raises:
        BadInput: it cannot be written, or holds something else.
        RunConflict: another training lives there; the differing settings are named.
    """
    path, there = out / _SETTINGS, identity
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
        if path.is_file():
            there = json.loads(path.read_text())
        elif any(out.glob("[!.]*")):  # a killed writer's draft is hidden, and nothing
            raise BadInput(
                f"{out} is not empty and holds no training.", "Choose another --out folder."
            )
    except OSError as error:
        raise BadInput(
            f"--out {out} cannot be written: {error.strerror}.", "Name a folder that you own."
        ) from error
    except ValueError as error:
        raise BadInput(f"{path} is damaged.", "Choose another --out folder.") from error
    differing = [
        f"{name}: {there.get(name, 'unset')} there, {value} now"
        for name, value in identity.items()
        if there.get(name) != value
    ]
    if differing:
        raise RunConflict(
            f"{out} holds another training:\n  " + "\n  ".join(differing),
            "Choose another --out folder, or give the settings it was begun with.",
        )
    return newest(out)


def begin(out: Path, identity: Mapping[str, str]) -> None:
    """Write down what is trained here."""
    write_whole(out / _SETTINGS, json.dumps(dict(identity), indent=1) + "\n")


def draft_of(folder: Path) -> Path:
    """Where it is written before it is complete."""
    return folder.with_name(f".{folder.name}.part")


def draft(folder: Path) -> Path:
    """An empty folder beside `folder`, to be put in its place by `publish`."""
    part = draft_of(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def publish(folder: Path) -> None:
    """Give the draft of `folder` its name."""
    shutil.rmtree(folder, ignore_errors=True)
    draft_of(folder).replace(folder)


def forget_older_states(out: Path, step: int) -> None:
    """Only the newest state is kept: with the optimiser's moments it is thrice a checkpoint."""
    for path in (out / "state").glob("step-*"):
        if path != state_folder(out, step):
            shutil.rmtree(path, ignore_errors=True)
