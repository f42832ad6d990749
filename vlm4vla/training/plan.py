"""From settings to a plan: data opened, conventions settled, numbers decided, nothing built."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from vlm4vla.core import statistics
from vlm4vla.core.conventions import LAYOUTS, named
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.options import check, names
from vlm4vla.core.specs import CameraRequest, ProprioPart
from vlm4vla.core.statistics import ActionStatistics
from vlm4vla.demonstrations.open import open_demonstrations
from vlm4vla.demonstrations.samples import Chunks, Demonstrations
from vlm4vla.models import registry
from vlm4vla.models.config import PARTS, LoRA, Mode, Part, Scalar, Setup, VLAConfig
from vlm4vla.models.contracts import first_fault
from vlm4vla.models.vla import fitting
from vlm4vla.training import augment
from vlm4vla.training.batches import BatchSource, Shuffled
from vlm4vla.training.recipes import Decay, recipe, recipe_names
from vlm4vla.training.settings import FREE, TrainSettings

_MODEL_FIELDS = ("clip_norm", "image_size", "centre_crop", "execution")
_SETUP_FIELDS = ("mrope", "attention")


@dataclass(frozen=True)
class TrainPlan:
    """A checked training."""

    settings: TrainSettings
    config: VLAConfig
    source: BatchSource
    steps: int
    batch: int
    lr: float
    warmup: int
    """Steps."""
    clip_gradients: float
    save_every: int
    measure_every: int
    """Steps between measurements on what is not trained on."""
    decay: Decay = "constant"
    weight_decay: Mapping[Part, float] = field(default_factory=dict)
    whole: bool | None = None
    """Put the backbone's weights into checkpoints; None: where most of them were trained."""
    cpu: bool = False
    """Leave a GPU alone."""

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
            "samples": str(len(self.source)),
            "model": str(self.config),
            "batch": str(self.batch),
            "lr": f"{self.lr:g}",
            "warmup": str(self.warmup),
            "clip_gradients": f"{self.clip_gradients:g}",
            "decay": self.decay,
            "weight_decay": str(dict(self.weight_decay)),
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
        registry.locate(source)
    chosen_augment = augment.named(settings.augment) if settings.augment else None
    convention = named(settings.convention) if settings.convention else None
    layout = LAYOUTS.get(settings.convention or "", ())
    sets = [open_demonstrations(path, convention, layout) for path in settings.data]
    if not sets:
        raise BadInput("There is nothing to train on.", "--data FOLDER")
    chosen = recipe(settings.recipe or _recipe_of(sets[0], settings.convention))
    typed = {name: getattr(settings, name) for name in ("batch", "lr", "clip_gradients")}
    typed = {name: value for name, value in typed.items() if value is not None}
    stage = chosen.stage(settings.preset, settings.backbone).model_copy(update=typed)
    augmenter = chosen_augment or augment.named(chosen.augment)
    decoder = replace(chosen.decoder, chunk=settings.chunk) if settings.chunk else chosen.decoder
    cameras = _cameras(sets[0], (settings.camera,) if settings.camera else chosen.cameras)
    proprio = _proprio(sets[0], chosen.proprio)
    kept, apart = _divided(sets, settings.holdout, settings.seed)

    def chunks(parts: Sequence[Demonstrations]) -> Chunks:
        offsets = chosen.formulation.offsets
        return Chunks(parts, decoder.chunk, cameras, settings.tail, offsets, proprio)

    samples = chunks(kept)
    per_epoch = len(samples) / stage.batch
    steps = settings.steps or stage.steps or math.ceil(cast(float, stage.epochs) * per_epoch)
    line = settings.log_every
    save_every = settings.save_every or math.ceil(max(1, steps // 10) / line) * line
    if save_every % line:
        raise OutOfRange(
            f"--save-every {save_every} is no multiple of --log-every {line}: a line of metrics "
            "would span a checkpoint.",
            f"Add e.g. --log-every {math.gcd(save_every, line)}",
        )
    config = VLAConfig(
        backbone=settings.backbone,
        source=source,
        action=samples.target,
        cameras=cameras,
        proprio=proprio,
        decoder=decoder,
        formulation=chosen.formulation,
        statistics=_statistics(settings.statistics or chosen.statistics, sets[0], samples),
        centre_crop=augmenter.crop,
        trained=_trained(settings) or stage.trained,
        scratch=settings.scratch,
        execution=chosen.execution,
        training_split=settings.split or settings.data[0].resolve().name,
    )
    config = _overridden(registry.apply_preset(config, settings.preset), settings.model)
    fitting(config)
    held_out = chunks(apart) if apart else None
    warmup = round(stage.warmup_epochs * per_epoch) if settings.warmup is None else settings.warmup
    return TrainPlan(
        settings=settings,
        config=config,
        source=Shuffled(samples, held_out, augmenter, settings.seed, settings.workers),
        steps=steps,
        batch=stage.batch,
        lr=stage.lr,
        warmup=warmup,
        clip_gradients=stage.clip_gradients,
        save_every=save_every,
        measure_every=save_every,
        decay=stage.decay,
        weight_decay=stage.weight_decay,
    )


def _trained(settings: TrainSettings) -> Mapping[Part, Mode]:
    """What the flags say is trained of each part; empty where they are silent."""
    if settings.lora:
        adapters = LoRA(settings.lora, 2.0 * settings.lora)
        return {part: adapters if part == "language" else "none" for part in PARTS}
    return dict.fromkeys(settings.frozen, "none")


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
        drawn, others = (
            replace(each, trajectories=[each.trajectories[place] for place in sorted(places)])
            for places in (lot[:count], lot[count:])
        )
        kept.append(others)
        if count:
            apart.append(drawn)
    return kept, apart


def _recipe_of(data: Demonstrations, convention: str | None) -> str:
    names = recipe_names()
    found = data.recipe or (convention if convention in names else None)
    if not found:
        raise BadInput(
            f"No recipe is made for {data.name}.", f"Choose one: --recipe {', '.join(names)}"
        )
    return found


def _cameras(data: Demonstrations, names: Sequence[str]) -> tuple[CameraRequest, ...]:
    """The chosen cameras as the data holds them: their sizes are the first pictures'."""
    if not data.cameras:
        raise BadInput(f"{data.name} has no pictures.")
    requests = [CameraRequest(name, flip=data.flip) for name in names or data.cameras[:1]]
    first = Chunks([data], 1, requests)[0].images
    sides = {name: frames.shape[1:3] for name, frames in first.items()}
    return tuple(replace(r, height=sides[r.name][0], width=sides[r.name][1]) for r in requests)


def _proprio(data: Demonstrations, wanted: Sequence[str | ProprioPart]) -> tuple[ProprioPart, ...]:
    """The parts wanted, those that are only named as the data holds them. Raises UnknownName."""
    there = {part.name: part for part in data.proprio}
    for name in wanted:
        if isinstance(name, str) and name not in there:
            fix = "A LeRobot set of others is read by --convention calvin or libero."
            raise UnknownName(f"proprioception in {data.name}", name, there, fix)
    return tuple(there[part] if isinstance(part, str) else part for part in wanted)


def _statistics(name: str, data: Demonstrations, samples: Chunks) -> ActionStatistics | None:
    if name == "own":
        return statistics.of_actions(Path(data.name).resolve().name, samples.all_actions())
    return statistics.named(name)


def _overridden(config: VLAConfig, given: Mapping[str, Scalar]) -> VLAConfig:
    """`--set` on top of the preset.

    The model's own fields first, then those of its decoder, then the backbone's options.
    """
    left = dict(given)
    known = registry.backbone_class(config.backbone).known_options
    of_decoder = [one.name for one in fields(config.decoder) if one.name != "kind"]

    def taken(kind: type, own: Sequence[str]) -> dict[str, Any]:
        return {name: _value(kind, name, left.pop(name)) for name in own if name in left}

    own, setup = taken(VLAConfig, _MODEL_FIELDS), taken(Setup, _SETUP_FIELDS)
    decoder = taken(type(config.decoder), of_decoder)
    for name in left:
        if name not in names(known):
            what = f"setting of a VLA or option of '{config.backbone}'"
            every = [*_MODEL_FIELDS, *_SETUP_FIELDS, *of_decoder, *names(known)]
            raise UnknownName(what, name, every)
    check(known, left, config.backbone)
    return replace(
        config,
        decoder=replace(config.decoder, **decoder),
        setup=replace(config.setup, options={**config.setup.options, **left}, **setup),
        **own,
    )


def _value(kind: type, name: str, value: Scalar) -> object:
    """What was typed, as that field of a configuration takes it."""
    wanted = get_type_hints(kind)[name]
    try:
        return TypeAdapter(wanted).validate_python(value)
    except ValidationError as error:
        if get_args(wanted):
            raise UnknownName(f"value of {name}", str(value), get_args(wanted)) from error
        raise OutOfRange(f"--set {name}={value}: {first_fault(error)}") from error
