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

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vlm4vla.core.errors import BadInput
from vlm4vla.core.options import check_ranges
from vlm4vla.core.specs import CameraRequest
from vlm4vla.core.statistics import of_actions
from vlm4vla.demonstrations.open import open_demonstrations
from vlm4vla.demonstrations.samples import Chunks
from vlm4vla.models.config import Scalar, Setup, VLAConfig
from vlm4vla.models.contracts import ARM
from vlm4vla.studies.emoji.decoder import PathConfig
from vlm4vla.studies.emoji.landing import check_readable
from vlm4vla.studies.emoji.memory import Remembered
from vlm4vla.training.plan import TrainPlan
from vlm4vla.training.settings import TrainSettings
from vlm4vla.training.trainer import TrainingLine
from vlm4vla.training.trainer import train as carry_out

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
    path_weight: float = 0.05
    place_weight: float = 0.02
    """Of the losses beside the arm's, see `PathConfig`; of the place from scratch only."""
    decay: float = 5.0
    """Of the comparison's weights (decoupled: AdamW); from scratch only, else they are frozen."""
    held_out: float = 0.1
    """Share of the demonstrations that is only measured on."""
    seed: int = 123
    threads: int = 1
    """CPU threads of the network."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Of the backbone."""

    def __post_init__(self) -> None:
        """Refuse numbers that no training can have. Raises OutOfRange."""
        check_ranges(
            self, chunk=(1, 1000), steps=(1, 10**7), batch=(2, 10**5), lr=(0, 10),
            warmup=(0, 10**6), reach=(0, 1), decay=(0, 100), gripper_weight=(0, 100),
            path_weight=(0, 100), place_weight=(0, 100), held_out=(0, 0.9), seed=(0, 2**31 - 1),
        )  # fmt: skip


def train(settings: SmallSettings, tell: Callable[[TrainingLine], None]) -> None:
    """Train and save one network, or go on where it was stopped.

    The same seed gives the same weights on the same machine with as many threads. Raises BadInput
    in one of its forms before it begins.
    """
    carry_out(plan_of(settings), lambda said: None if isinstance(said, str) else tell(said))


def plan_of(settings: SmallSettings) -> TrainPlan:
    """The general trainer's plan of such a training."""
    samples, camera = _samples(settings)
    every = max(1, settings.steps // 30)
    return TrainPlan(
        settings=TrainSettings(
            BACKBONE,
            (settings.data,),
            settings.out,
            source=str(settings.source),
            scratch=settings.scratch,
            precision="fp32",
            seed=settings.seed,
            threads=settings.threads,
            log_every=every,
            holdout=settings.held_out,
            workers=0,
            model={"reach": settings.reach, **settings.options},
        ),
        config=_config(settings, samples, camera),
        source=Remembered(
            samples,
            settings.scratch,
            settings.held_out,
            settings.reach * settings.steps,
            settings.seed,
        ),
        steps=settings.steps,
        batch=settings.batch,
        lr=settings.lr,
        warmup=settings.warmup,
        clip_gradients=1.0,
        save_every=settings.steps,
        measure_every=every,
        decay="cosine",
        weight_decay={"projector": settings.decay},
        whole=True,
        cpu=True,
    )


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
    height, width = first[0].images[data.cameras[0]].shape[1:3]
    camera = CameraRequest(data.cameras[0], height, width, data.flip)
    return Chunks([data], settings.chunk, [camera], None), camera


def _config(settings: SmallSettings, samples: Chunks, camera: CameraRequest) -> VLAConfig:
    actions = samples.all_actions()
    return VLAConfig(
        backbone=BACKBONE,
        source=str(settings.source),
        action=samples.target,
        cameras=(camera,),
        decoder=PathConfig(
            chunk=settings.chunk,
            gripper_loss_weight=settings.gripper_weight,
            path_weight=settings.path_weight,
            place_weight=settings.place_weight if settings.scratch else 0.0,
        ),
        statistics=of_actions(settings.data.resolve().name, actions[:, :ARM]),
        clip_norm=1.0,
        image_size=_square_side(camera.height, camera.width),
        setup=Setup(options=settings.options),
        # From scratch nothing is aligned yet: patches and sentences learn to meet.
        trained={
            "vision": "none",
            "projector": "full" if settings.scratch else "none",
            "word_embeddings": "none",
        },
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
