"""What a VLA is, without its weights: everything needed to build it again and to run it right.

Torch-free, so that `bench run` can check a checkpoint before anything expensive starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vlm4vla.core.errors import BadInput, OutOfRange
from vlm4vla.core.specs import ActionSpec, CameraRequest
from vlm4vla.core.statistics import ActionStatistics

Part = Literal["vision", "word_embeddings", "language"]
Preset = Literal["default", "paper", "code"]
Scalar = str | int | float | bool
ARM = 6
"""Numbers of an action that the arm branch predicts: translation and rotation."""


@dataclass(frozen=True)
class Setup:
    """How a backbone is built and wired; the same in training and evaluation."""

    mrope: Literal["native", "flat"] = "native"
    """Token positions. `native`: the model's own (2-D for Qwen's image tokens), padding behind the
    ActionQuery. `flat`: 0, 1, 2, ... over the padded sequence, the query behind the padding, as the
    published code does: an action then depends on the longest prompt in its batch."""
    attention: Literal["native", "image", "causal"] = "native"
    """Which tokens of a prefix model (PaliGemma) see each other both ways: `native` image and
    prompt, `image` the image alone, `causal` none. Other models are causal in every case."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """What only this backbone knows, e.g. `prompt` of the Qwen family."""


@dataclass(frozen=True)
class LoRA:
    """Low-rank adapters on the language model's projections (peft)."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0


@dataclass(frozen=True)
class VLAConfig:
    """One vision-language-action model: backbone, ActionQuery and head, and its conventions."""

    backbone: str
    """A registered name (`bench list backbones`) or `module:Class`."""
    source: str
    """Hugging Face id or local folder of the pretrained weights; empty where there are none."""
    action: ActionSpec
    """The convention of the dataset's actions, hence of every predicted action."""
    camera: CameraRequest
    """The camera, its size and flip as the dataset recorded them."""
    chunk: int = 10
    """Actions predicted at once: 10 on CALVIN, 4 on Bridge, LIBERO and Fractal in the paper."""
    statistics: ActionStatistics | None = None
    """Undone last; None where the dataset's actions are in [-1, 1] as they stand (CALVIN)."""
    clip_norm: float = 0.65
    """The arm's numbers are clipped to +-this and rescaled to [-1, 1] (undocumented in the paper,
    in all of its code); 1 reaches the whole range."""
    arm_loss: Literal["huber", "mse"] = "huber"
    gripper_loss_weight: float = 0.01
    """Of the gripper's cross-entropy beside the arm's loss: 0.01 in the code, 1 in Eq. 1."""
    image_size: int = 224
    """Square side in pixels that every frame is brought to first (bicubic)."""
    centre_crop: float = 1.0
    """Share of the frame's area that evaluation keeps: 0.9 after training with random crops."""
    setup: Setup = field(default_factory=Setup)
    preset: Preset = "default"
    """The preset it was made from; a label, the fields above decide."""
    frozen: tuple[Part, ...] = ()
    """Parts of the backbone that training left alone."""
    lora: LoRA | None = None
    scratch: bool = False
    """The backbone's architecture with random weights (Table 8)."""
    execution: str = "chunk"
    """Default execution of a chunk (`core` notation, e.g. `chunk`, `half`, `first+votes2`)."""
    training_split: str = "none"
    """What it was trained on, as the leaderboard shows it, e.g. `calvin ABC`."""

    def __post_init__(self) -> None:
        """Refuse what no VLA can be. Raises BadInput."""
        if self.action.gripper is None or self.action.size != ARM + 1:
            raise BadInput(
                "A VLA predicts translation (3), rotation (3) and gripper; the actions given have "
                f"{self.action.size} numbers.",
                "Convert the dataset to euler angles or a rotation vector, with a gripper.",
            )
        for name, value, low, high in (
            ("chunk", self.chunk, 1, 1000),
            ("clip_norm", self.clip_norm, 1e-3, 1.0),
            ("gripper_loss_weight", self.gripper_loss_weight, 0.0, 1e3),
            ("image_size", self.image_size, 16, 4096),
            ("centre_crop", self.centre_crop, 0.01, 1.0),
            ("lora rank", self.lora.rank if self.lora else 1, 1, 4096),
        ):
            if not low <= value <= high:
                raise OutOfRange(f"{name} {value:g} is outside {low:g}..{high:g}.")

    @property
    def batch_independent(self) -> bool:
        """Padding does not enter the positions, so batching changes nothing but rounding."""
        return self.setup.mrope == "native"
