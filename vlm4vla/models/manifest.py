"""`vla.json`, the part of a checkpoint that is read before torch is: config, hashes, fit.

A checkpoint folder:

    vla.json              config, file hashes, what the frozen weights were
    vla.safetensors       ActionQueries, formulation, decoder, LoRA, and every trained tensor not
                          in backbone/
    backbone/             architecture and tokenizer; with `whole`, its weights too

Each such folder is whole in itself: what else lies in it, as the `step-*` checkpoints of a training
that is not finished, is no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from vlm4vla.core.assets import sha256
from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput, InvalidFile, MissingAsset
from vlm4vla.core.files import write_whole
from vlm4vla.core.formats import FileFormat
from vlm4vla.models.config import PARTS, VLAConfig
from vlm4vla.models.contracts import first_fault

FILE = "vla.json"
WEIGHTS = "vla.safetensors"
BACKBONE = "backbone"
EXPORTED = "vlm4vla.json"
"""What a folder that `models.export` wrote says of itself."""


class CheckpointMismatch(BadInput):
    """A checkpoint that does not belong to what it is to be used with, or was altered."""


@dataclass(frozen=True)
class Manifest:
    """Everything of a checkpoint but its weights."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    config: VLAConfig
    whole: bool
    """The backbone's weights are inside; otherwise they are looked for at `config.source`."""
    base: str
    """Digest of the weights that training left alone (empty if whole)."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Path in the folder -> sha256."""
    training: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """What the trainer wants to be remembered: steps, data, hash of its options."""
    format: int = field(default=2, init=False)
    """The number of the format it was written in."""
    digest: str = field(default="", init=False)
    """Identity of the checkpoint: changes with any weight and any convention. Of the file as it was
    written, so a newer format does not rename what there is."""


_ADAPTER = TypeAdapter(Manifest)


def _parts_apart(content: dict[str, JSON]) -> dict[str, JSON]:
    """1 -> 2: decoder, cameras and what is trained of each part.

    The projector was part of the vision tower, LoRA always on the language model alone, and the
    files of unfinished steps were listed with the finished checkpoint's.
    """
    config, files = content.get("config"), content.get("files", {})
    if not isinstance(config, dict) or not isinstance(files, dict):
        return content
    decoder: dict[str, JSON] = {"kind": "mlp"}
    for name in ("chunk", "arm_loss", "gripper_loss_weight"):
        if name in config:
            decoder[name] = config.pop(name)
    config["decoder"] = decoder
    if "camera" in config:
        config["cameras"] = [config.pop("camera")]
    frozen, lora = config.pop("frozen", []), config.pop("lora", None)
    assert isinstance(frozen, list)
    still = {*frozen, *(["projector"] if "vision" in frozen else [])}
    config["trained"] = (
        {**dict.fromkeys(PARTS, "none"), "language": lora}
        if lora
        else {part: "none" for part in PARTS if part in still}
    )
    content["files"] = {n: h for n, h in files.items() if not n.startswith("step-")}
    return content


_FORMAT = FileFormat("checkpoint's manifest", (_parts_apart,))


def write(folder: Path, manifest: Manifest) -> Manifest:
    """Write `vla.json`, last of all files, so that a torn save is no checkpoint."""
    plain = json.loads(_ADAPTER.dump_json(manifest, exclude={"format", "digest"}))
    content = _FORMAT.numbered(plain)
    write_whole(folder / FILE, json.dumps(content, indent=1) + "\n")
    return _identified(manifest, content)


def _identified(manifest: Manifest, content: Mapping[str, JSON]) -> Manifest:
    """Give it the number and the digest of the file's content."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    object.__setattr__(manifest, "format", content.get("format", 1))
    object.__setattr__(manifest, "digest", digest)
    return manifest


def read(folder: Path) -> Manifest:
    """Read `vla.json`. Raises MissingAsset or InvalidFile."""
    path = folder / FILE
    if not folder.is_dir():
        raise MissingAsset(f"There is no checkpoint folder {folder}.", TRAIN)
    if not path.is_file():
        raise MissingAsset(f"{folder} is no VLA checkpoint: it has no {FILE}.", TRAIN)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        today = json.dumps(_FORMAT.upgraded(content, path))
        return _identified(_ADAPTER.validate_json(today, strict=True), content)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from error
    except ValidationError as error:
        raise InvalidFile(f"{path}: {first_fault(error)}") from error


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
