"""Everything a user can say about a training. The command line and Python fill this in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from vlm4vla.core.errors import OutOfRange, UnknownName
from vlm4vla.models.config import Part, Preset, Scalar

_PARTS: tuple[Part, ...] = ("vision", "word_embeddings", "language")
Precision = Literal["bf16", "fp32"]


@dataclass(frozen=True)
class TrainSettings:
    """One training. None means: as the recipe and the preset say."""

    backbone: str
    """A registered name, or `module:Class`."""
    data: tuple[Path, ...]
    """Demonstrations; the first set's action convention is the policy's."""
    out: Path
    """Folder for checkpoints and metrics. The same command continues in it."""
    source: str | None = None
    """Hugging Face id or local folder of the pretrained weights; the backbone's own if None."""
    recipe: str | None = None
    """calvin, bridge, fractal, libero or emoji; the one made for the data if None."""
    preset: Preset = "default"
    convention: str | None = None
    """What the actions mean, where the data does not say it."""
    camera: str | None = None
    """The data's first camera if None."""
    chunk: int | None = None
    """Actions predicted at once."""
    tail: Literal["zeros", "repeat"] | None = None
    """What fills a chunk beyond the episode's end; always masked out of the loss."""
    statistics: str | None = None
    """`own`, `none`, or published quantiles by name."""
    augment: str | None = None
    steps: int | None = None
    batch: int | None = None
    """Samples a step, over all processes and accumulated micro-batches."""
    micro_batch: int | None = None
    """Samples that one process holds at once; the batch over the processes if None."""
    lr: float | None = None
    warmup: int | None = None
    """Steps of linear warm-up; a quarter of an epoch if None."""
    clip_gradients: float | None = None
    """Largest norm of the gradient; 0: not clipped."""
    frozen: tuple[Part, ...] = ()
    lora: int | None = None
    """Rank of low-rank adapters on the language model."""
    scratch: bool = False
    """The backbone's architecture with random weights."""
    model: Mapping[str, Scalar] = field(default_factory=dict)
    """Fields of VLAConfig and Setup, or options of the backbone, that replace the preset's."""
    precision: Precision = "bf16"
    """bf16: float32 weights under bfloat16 autocast."""
    gradient_checkpointing: bool = False
    seed: int = 123
    """The published code's."""
    save_every: int | None = None
    """Steps between checkpoints; a tenth of the training if None."""
    log_every: int = 10
    workers: int = 2
    """Processes that read and decode samples; 0: none."""
    holdout: float = 0.0
    """Share of the trajectories that is not trained on; its loss is measured at each checkpoint."""
    split: str = ""
    """What the leaderboard calls the training data; the first set's folder if empty."""

    def __post_init__(self) -> None:
        """Refuse numbers that no training can have. Raises OutOfRange."""
        for name, low, high in (
            ("chunk", 1, 1000), ("steps", 1, 10**8), ("batch", 1, 10**6), ("micro_batch", 1, 10**6),
            ("lr", 0.0, 10.0), ("warmup", 0, 10**8), ("clip_gradients", 0.0, 1e6),
            ("lora", 1, 4096), ("seed", 0, 2**31 - 1), ("save_every", 1, 10**8),
            ("log_every", 1, 10**8), ("workers", 0, 256), ("holdout", 0.0, 0.9),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                flag = name.replace("_", "-")
                raise OutOfRange(f"--{flag} {value:g} is outside {low:g}..{high:g}.")


FREE = frozenset({"out", "steps", "save_every", "log_every", "workers", "micro_batch", "split"})
"""What may change when a training is continued: it alters no loss of the steps already done."""
assert {f.name for f in fields(TrainSettings)} >= FREE


def frozen_parts(words: Sequence[str]) -> tuple[Part, ...]:
    """What `--freeze` names; `all` leaves only ActionQuery and head. Raises UnknownName."""
    for word in words:
        if word not in (*_PARTS, "all"):
            raise UnknownName("part to freeze", word, [*_PARTS, "all"])
    return tuple(part for part in _PARTS if part in words or "all" in words)
