"""Checkpoints: a VLA saved to a folder and loaded again, or refused with the reason."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Container, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vlm4vla.core.assets import sha256
from vlm4vla.models import manifest as manifests
from vlm4vla.models.config import VLAConfig
from vlm4vla.models.manifest import BACKBONE, FILE, WEIGHTS, CheckpointMismatch, Manifest
from vlm4vla.models.vla import VLA, fitting, trained, tuned

_SAMPLE = 64


def save(
    model: VLA,
    folder: Path,
    *,
    whole: bool | None = None,
    training: Mapping[str, str | int | float | bool] | None = None,
) -> Manifest:
    """Write the model into `folder`, replacing a checkpoint that is there.

    Args:
        model: what to save.
        folder: created if missing.
        whole: put the backbone's weights in. By default only if most of them were trained;
            otherwise only the trained tensors are written, and loading needs `config.source`.
        training: facts for `Manifest.training`.
    """
    if whole is None:
        weights = list(model.backbone.parameters())
        moved = sum(p.numel() for p in weights if p.requires_grad)
        whole = model.config.scratch or moved > 0.5 * sum(p.numel() for p in weights)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).unlink(missing_ok=True)  # until the new one is written this is no checkpoint
    shutil.rmtree(folder / BACKBONE, ignore_errors=True)
    model.backbone.save(folder / BACKBONE, weights=whole)
    state = _own_state(model, whole)
    save_file(state, folder / WEIGHTS)
    saved = [folder / WEIGHTS, *sorted(p for p in (folder / BACKBONE).rglob("*") if p.is_file())]
    manifest = Manifest(
        _anchored(model.config),
        whole,
        "" if whole else _base_digest(model, state),
        {str(path.relative_to(folder)): sha256(path) for path in saved},
        dict(training or {}),
    )
    return manifests.write(folder, manifest)


def load(
    folder: Path,
    *,
    source: str | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> VLA:
    """The model saved in `folder`, in evaluation mode.

    Args:
        folder: a checkpoint.
        source: where the frozen weights are, if not where the training found them.
        dtype: of the backbone; queries and decoder stay float32.
        device: where to put it.

    Raises:
        MissingAsset: no checkpoint there, or the frozen weights are not on this machine.
        CheckpointMismatch: files altered or missing, other frozen weights, other shapes.
        ReaderMismatch: the decoder asks for what the backbone does not give.
    """
    manifest = manifests.read(folder)
    manifests.verify(folder, manifest)
    config = manifest.config
    kind = fitting(config)
    place = folder / BACKBONE if manifest.whole else source or config.source
    backbone = kind.load(place, config.setup, dtype=dtype)
    model = VLA(config, tuned(backbone, config))
    state = _read(folder / WEIGHTS)
    if manifest.format == 1:  # the decoder was the head
        state = {re.sub(r"^head\.", "decoder.", name): tensor for name, tensor in state.items()}
    if not manifest.whole and _base_digest(model, state) != manifest.base:
        raise CheckpointMismatch(
            f"{folder} was trained on other frozen weights than those at {place}.",
            f"Fetch the original again ({config.source}), or name its folder: "
            "--policy-option source=FOLDER.",
        )
    _fill(model, state, folder)
    return model.to(device).eval()


def _anchored(config: VLAConfig) -> VLAConfig:
    """A local source by its absolute path: the checkpoint is read from other folders."""
    source = Path(config.source).expanduser()
    local = bool(config.source) and source.is_dir()
    return replace(config, source=str(source.resolve())) if local else config


def _own_state(model: VLA, whole: bool) -> dict[str, Tensor]:
    """Queries, decoder, LoRA; without `whole` every other trained tensor of the backbone too."""
    keep = {name for name, _ in trained(model)}
    state = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if not name.startswith("backbone.") or ".lora_" in name or (not whole and name in keep)
    }
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointMismatch(f"{path} cannot be read: {error}.") from error
    return state


def _fill(model: VLA, state: Mapping[str, Tensor], folder: Path) -> None:
    """Copy the saved tensors into the model; all that are needed, and each of its shape."""
    own = model.state_dict()
    needed = {name for name in own if not name.startswith("backbone.") or ".lora_" in name}
    for name in sorted(needed - set(state)):
        raise CheckpointMismatch(f"Checkpoint {folder} lacks {name}.")
    for name, tensor in state.items():
        if name not in own or own[name].shape != tensor.shape:
            there = tuple(own[name].shape) if name in own else "nothing"
            raise CheckpointMismatch(
                f"Checkpoint {folder} holds {name} of shape {tuple(tensor.shape)}; the model has "
                f"{there}."
            )
        own[name].copy_(tensor)


def _base_digest(model: VLA, stored: Container[str]) -> str:
    """Names, shapes and first values of the weights that are not `stored`, in bfloat16.

    A sample is enough to tell one published model from another, and costs nothing at 30 B.
    """
    digest = hashlib.sha256()
    for name, parameter in model.backbone.named_parameters():
        if f"backbone.{name}" in stored:
            continue
        sample = parameter.detach().reshape(-1)[:_SAMPLE].to(torch.bfloat16).float().cpu()
        digest.update(f"{name.replace('.base_layer', '')}{tuple(parameter.shape)}".encode())
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()[:16]
