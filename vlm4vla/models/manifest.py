"""`vla.json`, the part of a checkpoint that is read before torch is: config, hashes, fit.

A checkpoint folder:

    vla.json              config, file hashes, what the frozen weights were
    vla.safetensors       ActionQuery, head, LoRA, and every trained tensor not in backbone/
    backbone/             architecture and tokenizer; with `whole`, its weights too
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vlm4vla.core.assets import sha256
from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput, InvalidFile, MissingAsset
from vlm4vla.models.config import VLAConfig

FILE = "vla.json"
WEIGHTS = "vla.safetensors"
BACKBONE = "backbone"
_FORMAT = 1


class CheckpointMismatch(BadInput):
    """A checkpoint that does not belong to what it is to be used with, or was altered."""


@dataclass(frozen=True)
class Manifest:
    """Everything of a checkpoint but its weights."""

    config: VLAConfig
    whole: bool
    """The backbone's weights are inside; otherwise they are looked for at `config.source`."""
    base: str
    """Digest of the weights that training left alone (empty if whole)."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path in the folder -> sha256."""
    training: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """What the trainer wants to be remembered: steps, data, hash of its options."""
    format: int = _FORMAT

    @property
    def digest(self) -> str:
        """Identity of the checkpoint: changes with any weight and any convention."""
        text = _ADAPTER.dump_json(self).decode()
        return hashlib.sha256(json.dumps(json.loads(text), sort_keys=True).encode()).hexdigest()[
            :16
        ]


_ADAPTER = TypeAdapter(Manifest)


def write(folder: Path, manifest: Manifest) -> None:
    """Write `vla.json`, last of all files, so that a torn save is no checkpoint."""
    text = json.dumps(json.loads(_ADAPTER.dump_json(manifest)), indent=1)
    partial = folder / (FILE + ".part")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(folder / FILE)


def read(folder: Path) -> Manifest:
    """Read `vla.json`. Raises MissingAsset or InvalidFile."""
    path = folder / FILE
    if not folder.is_dir():
        raise MissingAsset(f"There is no checkpoint folder {folder}.", TRAIN)
    if not path.is_file():
        raise MissingAsset(f"{folder} is no VLA checkpoint: it has no {FILE}.", TRAIN)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = _ADAPTER.validate_python(content)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidFile(f"{path}: {where}: {first['msg']}.") from error
    if manifest.format != _FORMAT:
        raise CheckpointMismatch(
            f"{folder} has checkpoint format {manifest.format}, this version reads {_FORMAT}."
        )
    if not _states(json.loads(_ADAPTER.dump_json(manifest)), content):
        raise InvalidFile(f"{path} holds fields or values that this version does not know.")
    return manifest


def _states(whole: JSON, content: JSON) -> bool:
    """Whether `content` says nothing but what `whole` does; what it leaves out is a default."""
    if isinstance(whole, Mapping) and isinstance(content, Mapping):
        return all(name in whole and _states(whole[name], content[name]) for name in content)
    return whole == content


def verify(folder: Path, manifest: Manifest) -> None:
    """Every file there and unaltered. Raises CheckpointMismatch."""
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise CheckpointMismatch(f"Checkpoint {folder} is incomplete: {name} is missing.")
        if sha256(path) != expected:
            raise CheckpointMismatch(
                f"Checkpoint {folder}: {name} is not the file it was saved with."
            )


TRAIN = "Train one: bench train --backbone NAME --data DATA --out FOLDER (none were published)."
