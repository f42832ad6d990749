"""Training what stands behind frozen features: `mobilenet-minilm` on a CPU, in minutes.

The frozen parts see every frame once; only their features are kept. Each step then costs a few
milliseconds a sample, and a thousand steps a few minutes of one core.

Two networks of one architecture come out of here. `pretrained` starts from an aligned source folder
and learns fusion, ActionQuery and head. `scratch` starts from random numbers: its convolutions and
its sentence encoder stay random (random features, as in a reservoir), and it learns the comparison
of patches and sentences beside the rest, by the colours (`scratch`). Only that comparison
has weight decay and the loss of the place (`landing`): the aligned one is not trained.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vlm4vla.core.errors import BadInput, OutOfRange
from vlm4vla.core.specs import CameraRequest
from vlm4vla.core.statistics import of_actions
from vlm4vla.demonstrations.open import open_demonstrations
from vlm4vla.demonstrations.samples import Chunks
from vlm4vla.models import checkpoint
from vlm4vla.models.config import ARM, Scalar, Setup, VLAConfig
from vlm4vla.models.vla import VLA
from vlm4vla.studies.emoji.hand_error import hand_errors
from vlm4vla.studies.emoji.landing import check_readable, place_error
from vlm4vla.studies.emoji.memory import Memory, remember
from vlm4vla.studies.emoji.network.backbone import MobileNetMiniLM
from vlm4vla.studies.emoji.path import PATH_UNIT, masked_mean, path_error, reach_steps, robust
from vlm4vla.studies.emoji.scratch import colours_only

BACKBONE = "mobilenet-minilm"


@dataclass(frozen=True)
class SmallSettings:
    """Everything that decides the weights."""

    data: Path
    source: Path
    """The aligned folder; from scratch, only its tokenizer and architecture are used."""
    out: Path
    scratch: bool = False
    chunk: int = 50
    """Actions: a whole episode of the emoji task (42 to 49 steps) from one look."""
    steps: int = 1500
    batch: int = 32
    lr: float = 2e-3
    """After a warm-up; falls to 0 along a cosine."""
    warmup: int = 50
    reach: float = 0.4
    """Share of the steps in which arm, gripper and path are judged up to the first grasp only.
    Otherwise the cards, which from scratch can only be learned by heart, drown the cube. The loss
    of the place, from scratch, counts from the first step: it trains the comparison, and what of
    the heat maps that comparison shares with the others."""
    gripper_weight: float = 0.1
    """Of the gripper's cross-entropy beside the arm's Huber loss."""
    path_weight: float = 0.05
    """Of the path: the sum of all translations so far, hence where the hand is."""
    place_weight: float = 0.02
    """Of the place where the cube is put down, found by the words; from scratch only."""
    decay: float = 5.0
    """Of the comparison's weights (decoupled: AdamW); from scratch only, else they are frozen."""
    held_out: float = 0.1
    """Share of the demonstrations that is only measured on."""
    seed: int = 123
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Of the backbone."""

    def __post_init__(self) -> None:
        """Refuse numbers that no training can have. Raises OutOfRange."""
        for name, low, high in (
            ("chunk", 1, 1000), ("steps", 1, 10**7), ("batch", 2, 10**5), ("lr", 0.0, 10.0),
            ("warmup", 0, 10**6), ("reach", 0.0, 1.0), ("decay", 0.0, 100.0),
            ("gripper_weight", 0.0, 100.0), ("path_weight", 0.0, 100.0),
            ("place_weight", 0.0, 100.0), ("held_out", 0.0, 0.9), ("seed", 0, 2**31 - 1),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise OutOfRange(f"{name} {getattr(self, name):g} is outside {low:g}..{high:g}.")


@dataclass(frozen=True)
class Moment:
    """One line of metrics."""

    step: int
    values: Mapping[str, float]
    seconds: float


def train(settings: SmallSettings, tell: Callable[[Moment], None]) -> VLA:
    """Train and save one network. Raises BadInput in one of its forms before it begins."""
    samples, camera = _samples(settings)
    torch.manual_seed(settings.seed)
    model = VLA.build(_config(settings, samples, camera))
    memory = remember(model, samples, settings.scratch)
    began = time.monotonic()
    learn(model, memory, settings, tell)
    checkpoint.save(
        model,
        settings.out,
        whole=True,
        training={
            "step": settings.steps,
            "samples": len(memory),
            "data": settings.data.name,
            "seconds": round(time.monotonic() - began, 1),
        },
    )
    return model


def _samples(settings: SmallSettings) -> tuple[Chunks, CameraRequest]:
    data = open_demonstrations(settings.data, None)
    longest = max(t.length for t in data.trajectories)
    if longest > settings.chunk:
        raise BadInput(
            f"{settings.data} has an episode of {longest} actions; a chunk of {settings.chunk} "
            "would not reach its end.",
            f"SmallSettings(..., chunk={longest})",
        )
    if settings.scratch:
        check_readable(data)
    first = Chunks([data], settings.chunk, [CameraRequest(data.cameras[0])], None)
    height, width = first[0].images[data.cameras[0]].shape[:2]
    camera = CameraRequest(data.cameras[0], height, width, data.flip)
    return Chunks([data], settings.chunk, [camera], None), camera


def _config(settings: SmallSettings, samples: Chunks, camera: CameraRequest) -> VLAConfig:
    actions = samples.all_actions()
    return VLAConfig(
        backbone=BACKBONE,
        source=str(settings.source),
        action=samples.target,
        camera=camera,
        chunk=settings.chunk,
        statistics=of_actions(settings.data.resolve().name, actions[:, :ARM]),
        clip_norm=1.0,
        gripper_loss_weight=settings.gripper_weight,
        image_size=_square_side(camera.height, camera.width),
        setup=Setup(options=settings.options),
        # From scratch nothing is aligned yet: patches and sentences learn to meet.
        frozen=() if settings.scratch else ("vision", "word_embeddings"),
        scratch=settings.scratch,
        execution="chunk",
        training_split="grinningface train",
    )


def _square_side(height: int | None, width: int | None) -> int:
    """The side of the pictures; what is remembered is not resized, so they must be square."""
    if height is None or height != width:
        raise BadInput(
            f"The demonstrations' pictures are {height} x {width}, and must be square.",
            "bench demos ... --size 448",
        )
    return height


def learn(
    model: VLA, memory: Memory, settings: SmallSettings, tell: Callable[[Moment], None]
) -> None:
    """Train on what is remembered; the same seed gives the same weights on the same machine."""
    backbone = model.backbone
    assert isinstance(backbone, MobileNetMiniLM)
    for frozen in (backbone.vision, backbone.text):
        frozen.requires_grad_(False)
    if settings.scratch:
        colours_only(backbone)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    compared = set(backbone.align.parameters())
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p not in compared], "weight_decay": 0.0},
            {"params": [p for p in parameters if p in compared], "weight_decay": settings.decay},
        ],
        lr=settings.lr,
    )
    rng = np.random.default_rng(settings.seed)
    measured, used = _split(len(memory), settings.held_out, rng)
    reaching = replace(memory, mask=memory.mask & reach_steps(model, memory.actions))
    every = max(1, settings.steps // 30)
    began = time.monotonic()
    rows: list[dict[str, float]] = []
    queue: NDArray[np.int64] = np.zeros(0, np.int64)
    # Only the fusion trains; `backbone.train()` would unsettle a random trunk's batch statistics.
    backbone.eval()
    backbone.fusion.train()
    for step in range(settings.steps):
        if len(queue) < settings.batch:
            queue = np.concatenate([queue, rng.permutation(used)])
        chosen, queue = queue[: settings.batch], queue[settings.batch :]
        for group in optimiser.param_groups:
            group["lr"] = settings.lr * _pace(step, settings)
        part = reaching if step < settings.reach * settings.steps else memory
        found = losses(model, part, chosen, settings)
        optimiser.zero_grad()
        found["loss"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            values = {name: float(value.detach()) for name, value in found.items()}
            values |= _measure(model, memory, measured, used, settings)
            backbone.fusion.train()
            moment = Moment(step + 1, values, time.monotonic() - began)
            rows.append({"step": step + 1, "seconds": moment.seconds, **values})
            tell(moment)
    _write(settings.out / "metrics.csv", rows)
    model.eval()


def losses(
    model: VLA, memory: Memory, chosen: NDArray[np.int64], settings: SmallSettings
) -> dict[str, Tensor]:
    """The recipe's loss, the path's and, from scratch, the place's.

    Huber on the normalised chunk and cross-entropy on the gripper are VLM4VLA's. The path is ours:
    an error that repeats adds up over the chunk, so the distance of the hand from where the
    demonstration had it counts too. So is the place, which only the scratch network has (`landed`):
    the heat maps that compare picture and words are to lie where the hand lets go.

    Returns:
        Scalars `loss` (to minimise), `arm`, `gripper`, `path` and, from scratch, `place`.
    """
    index = torch.from_numpy(chosen)
    arm, logits, meant = _predict(model, memory, index)
    wanted, opens = model.normaliser.encode(memory.actions[index])
    kept = memory.mask[index].float()
    arm_loss = masked_mean(functional.huber_loss(arm, wanted, reduction="none").mean(-1), kept)
    gripper = functional.binary_cross_entropy_with_logits(logits, opens, reduction="none")
    off = path_error(model, arm - wanted, kept) / PATH_UNIT
    path = masked_mean(robust(off).mean(-1), kept)
    gripper_loss = masked_mean(gripper, kept)
    total = arm_loss + settings.gripper_weight * gripper_loss + settings.path_weight * path
    found = {"loss": total, "arm": arm_loss, "gripper": gripper_loss, "path": path}
    if memory.landed is not None:
        found["place"] = place_error(meant, memory.landed[index])
        found["loss"] = total + settings.place_weight * found["place"]
    return found


def _predict(model: VLA, memory: Memory, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the head says, (B, chunk, 6) and (B, chunk), and the maps that see the words."""
    backbone = model.backbone
    assert isinstance(backbone, MobileNetMiniLM)
    fine, near = memory.fine[index].float(), memory.patches[index].float()
    fit = backbone.align(near, memory.sentences[index]) if model.config.scratch else near
    seen, meant = backbone.fusion.maps(fine, fit)
    arm, logits = model.head(backbone.fusion.act(seen, meant, model.query))
    return arm, logits, meant


@torch.no_grad()
def _measure(
    model: VLA,
    memory: Memory,
    measured: NDArray[np.int64],
    used: NDArray[np.int64],
    settings: SmallSettings,
) -> dict[str, float]:
    """Losses and the hand's errors on demonstrations that are not trained on.

    The hand's errors on as many of those that are (`fitted`), to tell learning from learning by
    heart. Whole episodes, whatever the step.
    """
    if not len(measured):
        return {}
    backbone = model.backbone
    assert isinstance(backbone, MobileNetMiniLM)
    backbone.fusion.eval()
    found = losses(model, memory, measured, settings)
    values = {f"held_out_{name}": float(value) for name, value in found.items()}
    for name, chosen in (("held_out", measured), ("fitted", used[: len(measured)])):
        index = torch.from_numpy(chosen)
        arm, logits, _ = _predict(model, memory, index)
        errors = hand_errors(
            model, model.normaliser.decode(arm, logits), memory.actions[index], memory.mask[index]
        )
        values |= {f"{name}_{error}": value for error, value in errors.items()}
    return values


def _split(
    count: int, share: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Samples that are only measured on, and those that are trained on."""
    order = rng.permutation(count)
    held = int(count * share)
    return order[:held], order[held:]


def _pace(step: int, settings: SmallSettings) -> float:
    """Share of the learning rate: up over the warm-up, then a cosine to 0."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 + 0.5 * math.cos(math.pi * done)


def _write(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in rows)
