"""Everything a user can say about a training: `bench train` and Python fill this in.

The first paragraph below each field is what `--help` says of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from vlm4vla.core.errors import UnknownName
from vlm4vla.core.options import check_ranges
from vlm4vla.models.config import PARTS, Part, Scalar
from vlm4vla.models.contracts import Preset

Precision = Literal["bf16", "fp32"]


@dataclass(frozen=True)
class TrainSettings:
    """One training. None means: as the recipe and the preset say."""

    backbone: str
    """VLM: bench list backbones, or module:Class."""
    data: tuple[Path, ...]
    """Demonstrations (repeatable).

    The first set's action convention is the policy's.
    """
    out: Path
    """Folder for the checkpoint.

    And for metrics. The same command continues in it.
    """
    source: str | None = None
    """Pretrained weights: hub id or folder [the VLM's own]."""
    recipe: str | None = None
    """calvin, bridge, fractal, libero, emoji [by the data]."""
    preset: Preset = "default"
    """Where paper and code disagree."""
    convention: str | None = None
    """Meaning of the actions, where the data does not say."""
    camera: str | None = None
    """Camera [the data's first]."""
    chunk: int | None = None
    """Actions predicted at once [recipe]."""
    tail: Literal["zeros", "repeat"] | None = None
    """Fill beyond the end [by the data].

    Always masked out of the loss.
    """
    statistics: str | None = None
    """own, none, or published quantiles by name [recipe]."""
    augment: str | None = None
    """none, shift, crop, colour or openvla [recipe]."""
    steps: int | None = None
    """Updates of the weights [recipe]."""
    batch: int | None = None
    """Samples an update, in all [recipe].

    Over all processes and accumulated micro-batches.
    """
    micro_batch: int | None = None
    """Samples a process holds at once [batch / processes]."""
    lr: float | None = None
    """Learning rate [recipe]."""
    warmup: int | None = None
    """Steps of warm-up [1/4 epoch]."""
    clip_gradients: float | None = None
    """Largest gradient norm; 0: none [1, paper and code 0]."""
    frozen: tuple[Part, ...] = ()
    """vision, word_embeddings or language (repeatable); all: head only."""
    lora: int | None = None
    """Rank of LoRA; freezes the VLM."""
    scratch: bool = False
    """Random weights (Table 8).

    In the backbone's architecture.
    """
    model: Mapping[str, Scalar] = field(default_factory=dict)
    """clip_norm, gripper_loss_weight, mrope, prompt, ...

    Fields of VLAConfig and Setup, or options of the backbone, that replace the preset's.
    """
    precision: Precision = "bf16"
    """bf16: autocast over float32 weights."""
    gradient_checkpointing: bool = False
    """Less memory, more time."""
    seed: int = 123
    """Of weights, order and augmentation.

    By default the published code's.
    """
    threads: int = 1
    """CPU threads of the network.

    Their number changes the last bits of a loss, and so everything after it.
    """
    save_every: int | None = None
    """Steps between checkpoints [a tenth]."""
    log_every: int = 10
    """Steps a line of metrics."""
    workers: int = 2
    """Processes that read samples; 0: none."""
    holdout: float = 0.0
    """Share of trajectories to measure a loss on, not to train on.

    At each checkpoint.
    """
    split: str = ""
    """The data's name on the leaderboard.

    The first set's folder if empty.
    """

    def __post_init__(self) -> None:
        """Refuse numbers that no training can have. Raises OutOfRange."""
        check_ranges(
            self, "--{}", chunk=(1, 1000), steps=(1, 10**8), batch=(1, 10**6),
            micro_batch=(1, 10**6), lr=(0, 10), warmup=(0, 10**8), clip_gradients=(0, 1e6),
            lora=(1, 4096), seed=(0, 2**31 - 1), threads=(1, 1024), save_every=(1, 10**8),
            log_every=(1, 10**8), workers=(0, 256), holdout=(0, 0.9),
        )  # fmt: skip


FREE = frozenset({"out", "steps", "save_every", "log_every", "workers", "micro_batch", "split"})
"""What may change when a training is continued: it alters no loss of the steps already done."""
assert {f.name for f in fields(TrainSettings)} >= FREE


def frozen_parts(words: Sequence[str]) -> tuple[Part, ...]:
    """What `--freeze` names; `all` leaves only ActionQuery and decoder. Raises UnknownName.

    `vision` is the tower with its projector, as in the paper's Table 3; a recipe tells them apart.
    """
    for word in words:
        if word not in (*PARTS, "all"):
            raise UnknownName("part to freeze", word, [*PARTS, "all"])
    asked = {*words, *(["projector"] if "vision" in words else [])}
    return tuple(part for part in PARTS if part in asked or "all" in words)
