"""A checkpoint's backbone as a plain folder of transformers, output layer and all.

What evaluates vision-language models loads such folders, and so the trained VLA's backbone can be
asked what its pretrained model was asked. LoRA is merged; ActionQueries and decoder stay behind. A
VLA that is read at its ActionQuery was never trained through the output layer, which therefore now
stands on hidden states that moved: that is what is measured.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from vlm4vla.core.errors import BadInput, MissingAsset
from vlm4vla.core.files import write_whole
from vlm4vla.models import checkpoint
from vlm4vla.models import manifest as manifests
from vlm4vla.models.hub import HubBackbone
from vlm4vla.models.registry import locate

_PROCESSOR = ("*processor_config.json", "preprocessor_config.json", "chat_template*")
_TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Export:
    """Whose weights a folder holds."""

    checkpoint: str
    """The digest of the checkpoint's manifest."""
    backbone: str
    base: str
    """Where the pretrained weights came from."""
    dtype: str
    processor: tuple[str, ...]
    """Files of the processor, as the pretrained model has them; empty where none was found."""


def export(folder: Path, out: Path, source: str | None = None) -> Export:
    """Write the backbone of the checkpoint in `folder` into the new folder `out`.

    Args:
        folder: a checkpoint that `bench train` wrote.
        out: where to; it must not hold anything yet.
        source: the pretrained model, if not where the training found it.

    Raises:
        BadInput: the backbone has no text output, or `out` is not empty.
        MissingAsset: no checkpoint there, or weights that it needs are not on this machine.
        CheckpointMismatch: the checkpoint was altered, or was trained on other weights.
    """
    manifest = manifests.read(folder)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is not empty.", "Name a new folder.")
    base = source or manifest.config.source
    model = checkpoint.load(folder, source=source)
    backbone = model.backbone
    if not isinstance(backbone, HubBackbone):
        raise BadInput(
            f"{manifest.config.backbone} is no model of the transformers library.",
            "Only a vision-language model has an output that an evaluation kit can ask.",
        )
    for module in backbone.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge(safe_merge=True)  # raises where the sum is not finite
    try:
        original = locate(base)
    except (BadInput, MissingAsset):
        if not manifest.whole:
            raise
        original = None  # all weights are in the checkpoint
    dtype = _stated(folder / manifests.BACKBONE if manifest.whole else original)
    backbone.to(_TYPES[dtype]).save(out)
    facts = Export(
        manifest.digest, manifest.config.backbone, base, dtype, _processor(original, out)
    )
    write_whole(out / manifests.EXPORTED, json.dumps(asdict(facts), indent=1) + "\n")
    return facts


def _stated(folder: Path | None) -> str:
    """The number type that the weights were stored in."""
    if folder is not None and (folder / "config.json").is_file():
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        stated = config.get("dtype") or config.get("torch_dtype")
        if stated in _TYPES:
            return str(stated)
    return "float32"


def _processor(original: Path | None, out: Path) -> tuple[str, ...]:
    """Copy what prepares pictures and prompts; training leaves it as it was."""
    found = {path.name: path for name in _PROCESSOR for path in (original or out).glob(name)}
    for name, path in found.items():
        if path.parent != out:
            shutil.copyfile(path, out / name)
    return tuple(sorted(found))
