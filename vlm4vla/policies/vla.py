"""Vision-language-action models as policies: one for every registered backbone.

`--policy qwen3vl-4b --checkpoint FOLDER` refuses a checkpoint of another backbone; `--policy vla`
takes whatever the folder holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from vlm4vla.core.errors import BadInput
from vlm4vla.core.options import Bounds, read
from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Observation
from vlm4vla.core.specs import PolicySpec, SimulatorSpec
from vlm4vla.models import manifest as manifests
from vlm4vla.models.manifest import CheckpointMismatch, Manifest
from vlm4vla.models.registry import entries, locate, require


@dataclass(frozen=True)
class VLAOptions:
    """The `--policy-option` keys of every VLA."""

    checkpoint: str = ""
    """The folder that `bench train` wrote (`--checkpoint` for short)."""
    source: str = ""
    """Where the weights are that training left alone, if not where it found them."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes a GPU where there is one."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the backbone; `auto` is bfloat16 on a GPU, float32 on a CPU."""
    deterministic: bool = False
    """Ask the network one observation at a time, with deterministic kernels: slower, but an action
    then depends on nothing but its observation."""
    compile: bool = False
    """Run the backbone through torch.compile; the first queries take minutes."""
    threads: Annotated[int, Bounds(1, 1024)] = 1
    """CPU threads of the network; simulators want the other cores."""


_ARITHMETIC = ("threads", "device", "dtype", "deterministic", "compile")


def settled(chosen: VLAOptions) -> VLAOptions:
    """With the device and the number type that `auto` means here.

    Raises BadInput where a GPU is asked for and torch has none.
    """
    import torch

    there = torch.cuda.is_available()
    if chosen.device == "cuda" and not there:
        raise BadInput("There is no GPU that torch can use.", "--policy-option device=cpu")
    if chosen.device == "auto":
        chosen = replace(chosen, device="cuda" if there else "cpu")
    if chosen.dtype == "auto":
        chosen = replace(chosen, dtype="bfloat16" if chosen.device == "cuda" else "float32")
    return chosen


class VLAPolicy(Policy):
    """A trained VLA."""

    known_options = VLAOptions
    backbone: ClassVar[str] = ""
    """The only backbone it takes; any if empty."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Everything from the checkpoint: conventions, camera, execution, training split."""
        manifest, chosen = cls._opened(options)
        config = manifest.config
        statistics = config.statistics.name if config.statistics else None
        return PolicySpec(
            action=replace(config.action, statistics=statistics),
            request=config.request,
            execution=config.execution,
            batch_invariant=_alone(manifest, chosen),
            training_split=config.training_split,
            checkpoint=manifest.digest,
            arithmetic={name: getattr(chosen, name) for name in _ARITHMETIC},
        )

    @classmethod
    def _opened(cls, options: Mapping[str, str]) -> tuple[Manifest, VLAOptions]:
        """The checked checkpoint and options. Raises BadInput in one of its forms."""
        name = cls.backbone or "vla"
        chosen = read(VLAOptions, options, f"policy '{name}'")
        if not chosen.checkpoint:
            raise BadInput(
                f"Policy '{name}' needs trained weights; none were ever published.",
                f"Train them: bench train --backbone {cls.backbone or 'NAME'} --data DATA "
                "--out CHECKPOINT. Then add --checkpoint CHECKPOINT.",
            )
        require("torch", "transformers", "safetensors")
        folder = Path(chosen.checkpoint).expanduser()
        manifest = manifests.read(folder)
        if cls.backbone and manifest.config.backbone != cls.backbone:
            raise CheckpointMismatch(
                f"{folder} holds a {manifest.config.backbone}, not a {cls.backbone}.",
                f"bench run --policy {manifest.config.backbone} ...",
            )
        if not manifest.whole:
            locate(chosen.source or manifest.config.source)
        return manifest, settled(chosen)

    def __init__(self, simulator: SimulatorSpec, **options: str) -> None:
        """Load the network onto its device."""
        super().__init__(simulator, **options)
        import torch

        from vlm4vla.models import checkpoint

        manifest, chosen = self._opened(options)
        torch.set_num_threads(chosen.threads)
        if chosen.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
            torch.use_deterministic_algorithms(True, warn_only=True)
        self._cameras = [camera.name for camera in manifest.config.cameras]
        self._alone = _alone(manifest, chosen)
        self._model = checkpoint.load(
            Path(chosen.checkpoint).expanduser(),
            source=chosen.source or None,
            dtype=getattr(torch, chosen.dtype),
            device=chosen.device,
        )
        if chosen.compile:
            self._model.backbone.compile()

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        """One forward pass for the whole batch, or one each where batching would matter."""
        if self._alone and len(observations) > 1:
            asked = zip(observations, sessions, strict=True)
            return [chunk for seen, session in asked for chunk in self.act([seen], [session])]
        states = [np.atleast_2d(seen.proprio) for seen in observations if seen.proprio is not None]
        actions = self._model.predict(
            [np.stack([seen.images[name] for seen in observations]) for name in self._cameras],
            [seen.instruction for seen in observations],
            np.stack(states).astype(np.float32) if states else None,
            sessions,
        )
        return [ActionChunk(chunk) for chunk in actions.cpu().numpy().astype(np.float64)]


def __getattr__(name: str) -> type[VLAPolicy]:
    """The policy class of a backbone by the backbone's name, e.g. `qwen3vl-4b`."""
    if name.startswith("_") or name not in entries():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return type(name, (VLAPolicy,), {"backbone": name, "__module__": __name__})


def _alone(manifest: Manifest, options: VLAOptions) -> bool:
    """Whether observations are asked one at a time; only then an action is the same bit for bit."""
    return not manifest.config.batch_independent or options.deterministic
