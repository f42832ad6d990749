"""From settings to a plan: data opened, conventions settled, numbers decided, nothing built."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from vlm4vla.core import statistics
from vlm4vla.core.conventions import named
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.options import check, names
from vlm4vla.core.specs import CameraRequest
from vlm4vla.core.statistics import ActionStatistics
from vlm4vla.demonstrations.open import open_demonstrations
from vlm4vla.demonstrations.samples import Chunks, Demonstrations, Trajectory
from vlm4vla.models import registry, sources
from vlm4vla.models.config import LoRA, Scalar, Setup, VLAConfig
from vlm4vla.training import augment
from vlm4vla.training.augment import Augmenter
from vlm4vla.training.recipes import RECIPES, recipe, schedule
from vlm4vla.training.settings import FREE, TrainSettings

_MODEL_FIELDS = {
    "clip_norm": float, "arm_loss": str, "gripper_loss_weight": float, "image_size": int,
    "centre_crop": float, "execution": str, "mrope": str, "attention": str,
}  # fmt: skip
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "arm_loss": ("huber", "mse"),
    "mrope": ("native", "flat"),
    "attention": ("native", "image", "causal"),
}


@dataclass(frozen=True)
class TrainPlan:
    """A checked training."""

    settings: TrainSettings
    config: VLAConfig
    samples: Chunks
    held_out: Chunks | None
    """What is not trained on."""
    augmenter: Augmenter
    steps: int
    batch: int
    lr: float
    warmup: int
    clip_gradients: float
    save_every: int

    @property
    def identity(self) -> Mapping[str, str]:
        """What must not change when the training is continued: name -> value as text."""
        settings = {
            field.name: str(getattr(self.settings, field.name))
            for field in fields(TrainSettings)
            if field.name not in FREE
        }
        settings["data"] = ", ".join(str(path.resolve()) for path in self.settings.data)
        return {
            **settings,
            "samples": str(len(self.samples)),
            "model": str(self.config),
            "batch": str(self.batch),
            "lr": f"{self.lr:g}",
            "warmup": str(self.warmup),
            "clip_gradients": f"{self.clip_gradients:g}",
        }

    @property
    def digest(self) -> str:
        """Hash of `identity`."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:16]


def resolve(settings: TrainSettings) -> TrainPlan:
    """Check everything that can be checked without weights. Raises BadInput in one of its forms."""
    entry = registry.entry(settings.backbone)
    source = settings.source if settings.source is not None else entry.source
    if source:
        sources.locate(source)
    chosen_augment = augment.named(settings.augment) if settings.augment else None
    convention = named(settings.convention) if settings.convention else None
    sets = [open_demonstrations(path, convention) for path in settings.data]
    if not sets:
        raise BadInput("There is nothing to train on.", "--data FOLDER")
    chosen = recipe(settings.recipe or _recipe_of(sets[0], settings.convention))
    length = schedule(chosen, settings.preset, settings.backbone)
    augmenter = chosen_augment or augment.named(chosen.augment)
    chunk = settings.chunk or chosen.chunk
    camera = _camera(sets[0], settings.camera, chunk)
    kept, apart = _divided(sets, settings.holdout, settings.seed)
    samples = Chunks(kept, chunk, [camera], settings.tail)
    batch = settings.batch or chosen.batch
    per_epoch = len(samples) / batch
    steps = settings.steps or length.steps or math.ceil(cast(float, length.epochs) * per_epoch)
    save_every = settings.save_every or max(1, steps // 10)
    if settings.save_every is None and save_every % settings.log_every:
        save_every = math.ceil(save_every / settings.log_every) * settings.log_every
    if save_every % settings.log_every:
        raise OutOfRange(
            f"--save-every {save_every} is no multiple of --log-every {settings.log_every}: a line "
            "of metrics would span a checkpoint.",
            f"Add e.g. --log-every {math.gcd(save_every, settings.log_every)}",
        )
    config = VLAConfig(
        backbone=settings.backbone,
        source=source,
        action=samples.target,
        camera=camera,
        chunk=chunk,
        statistics=_statistics(settings.statistics or chosen.statistics, sets[0], samples),
        centre_crop=augmenter.centre_crop,
        frozen=settings.frozen,
        lora=LoRA(settings.lora, 2.0 * settings.lora) if settings.lora else None,
        scratch=settings.scratch,
        execution=chosen.execution,
        training_split=settings.split or settings.data[0].resolve().name,
    )
    config = _overridden(registry.apply_preset(config, settings.preset), settings.model)
    clip = settings.clip_gradients
    return TrainPlan(
        settings=settings,
        config=config,
        samples=samples,
        held_out=Chunks(apart, chunk, [camera], settings.tail) if apart else None,
        augmenter=augmenter,
        steps=steps,
        batch=batch,
        lr=settings.lr if settings.lr is not None else length.lr,
        warmup=settings.warmup
        if settings.warmup is not None
        else round(length.warmup_epochs * per_epoch),
        clip_gradients=clip if clip is not None else length.clip_gradients,
        save_every=save_every,
    )


def _divided(
    sets: Sequence[Demonstrations], share: float, seed: int
) -> tuple[list[Demonstrations], list[Demonstrations]]:
    """Each set without, and with nothing but, a share of its trajectories drawn by lot."""
    kept, apart = [], []
    for number, each in enumerate(sets):
        count = round(share * len(each.trajectories))
        if share and not 0 < count < len(each.trajectories):
            raise OutOfRange(
                f"--holdout {share:g} of {len(each.trajectories)} trajectories in {each.name} "
                "leaves nothing on one side."
            )
        # (seed, 3, ...) shares no stream with the orders, augmentations and dropouts.
        lot = np.random.default_rng((seed, 3, number)).permutation(len(each.trajectories))
        drawn = set(lot[:count].tolist())
        parts: tuple[list[Trajectory], list[Trajectory]] = ([], [])
        for place, trajectory in enumerate(each.trajectories):
            parts[place in drawn].append(trajectory)
        kept.append(replace(each, trajectories=parts[0]))
        if drawn:
            apart.append(replace(each, trajectories=parts[1]))
    return kept, apart


def _recipe_of(data: Demonstrations, convention: str | None) -> str:
    if not data.recipe and convention in RECIPES:
        return str(convention)
    if not data.recipe:
        raise BadInput(
            f"No recipe is made for {data.name}.", f"Choose one: --recipe {', '.join(RECIPES)}"
        )
    return data.recipe


def _camera(data: Demonstrations, name: str | None, chunk: int) -> CameraRequest:
    """The chosen camera as the data holds it: its size is the first picture's."""
    if name is not None and name not in data.cameras:
        raise UnknownName(f"camera in {data.name}", name, data.cameras)
    if not data.cameras:
        raise BadInput(f"{data.name} has no pictures.")
    request = CameraRequest(name or data.cameras[0], flip=data.flip)
    first = Chunks([data], chunk, [request])[0].images[request.name]
    return replace(request, height=first.shape[0], width=first.shape[1])


def _statistics(name: str, data: Demonstrations, samples: Chunks) -> ActionStatistics | None:
    if name == "own":
        return statistics.of_actions(Path(data.name).resolve().name, samples.all_actions())
    return statistics.named(name)


def _overridden(config: VLAConfig, given: Mapping[str, Scalar]) -> VLAConfig:
    """`--set` on top of the preset: the model's own fields first, then the backbone's options."""
    own: dict[str, Any] = {}
    options: dict[str, Scalar] = {}
    for name, value in given.items():
        if name not in _MODEL_FIELDS:
            options[name] = value
            continue
        allowed = _CHOICES.get(name)
        if allowed and value not in allowed:
            raise UnknownName(f"value of {name}", str(value), allowed)
        try:
            own[name] = _MODEL_FIELDS[name](value)
        except ValueError as error:
            raise OutOfRange(f"--set {name}={value} is not a number.") from error
    setup = Setup(
        mrope=own.pop("mrope", config.setup.mrope),
        attention=own.pop("attention", config.setup.attention),
        options={**config.setup.options, **options},
    )
    if options or ":" in config.backbone:
        known = registry.backbone_class(config.backbone).known_options
        for name in options:
            if name not in names(known):
                raise UnknownName(
                    f"setting of a VLA or option of '{config.backbone}'",
                    name,
                    [*_MODEL_FIELDS, *names(known)],
                )
        check(known, options, config.backbone)
    return replace(config, setup=setup, **own)
