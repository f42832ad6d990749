"""What a VLA is, without its weights: everything needed to build it again and to run it right.

Torch-free, so that `bench run` can check a checkpoint before anything expensive starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vlm4vla.core.errors import BadInput
from vlm4vla.core.options import check_ranges
from vlm4vla.core.specs import ActionSpec, CameraRequest, ObservationRequest, ProprioPart
from vlm4vla.core.statistics import ActionStatistics
from vlm4vla.models.contracts import ARM, Preset
from vlm4vla.models.decoders.config import DecoderConfig, MLPConfig
from vlm4vla.models.formulations.config import FormulationConfig, OneStepConfig

Part = Literal["vision", "projector", "word_embeddings", "language"]
PARTS: tuple[Part, ...] = ("vision", "projector", "word_embeddings", "language")
Scalar = str | int | float | bool


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
    """Low-rank adapters on the linear layers of one part (peft)."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raises OutOfRange."""
        check_ranges(self, "lora {}", rank=(1, 4096))


Mode = Literal["none", "full"] | LoRA
"""How a part is trained: left alone, all of it, or by adapters."""


@dataclass(frozen=True)
class VLAConfig:
    """One vision-language-action model: backbone, formulation, decoder, and its conventions."""

    backbone: str
    """A registered name (`bench list backbones`) or `module:Class`."""
    source: str
    """Hugging Face id or local folder of the pretrained weights; empty where there are none."""
    action: ActionSpec
    """The convention of the dataset's actions, hence of every predicted action."""
    cameras: tuple[CameraRequest, ...]
    """Each with its size and flip as the dataset recorded them."""
    proprio: tuple[ProprioPart, ...] = ()
    """What the robot says of itself, in the conventions of the training data."""
    decoder: DecoderConfig = field(default_factory=MLPConfig)
    formulation: FormulationConfig = field(default_factory=OneStepConfig)
    statistics: ActionStatistics | None = None
    """Undone last; None where the dataset's actions are in [-1, 1] as they stand (CALVIN)."""
    clip_norm: float = 0.65
    """The arm's numbers are clipped to +-this and rescaled to [-1, 1] (undocumented in the paper,
    in all of its code); 1 reaches the whole range."""
    image_size: int = 224
    """Square side in pixels that every frame is brought to first (bicubic)."""
    centre_crop: float = 1.0
    """Share of the frame's area that evaluation keeps: 0.9 after training with random crops."""
    setup: Setup = field(default_factory=Setup)
    preset: Preset = "default"
    """The preset it was made from; a label, the fields above decide."""
    trained: Mapping[Part, Mode] = field(default_factory=dict)
    """How each part of the backbone was trained; `full` where none is named."""
    scratch: bool = False
    """The backbone's architecture with random weights (Table 8)."""
    execution: str = "chunk"
    """Default execution of a chunk (`core` notation, e.g. `chunk`, `half`, `first+votes2`)."""
    training_split: str = "none"
    """What it was trained on, as the leaderboard shows it, e.g. `calvin ABC`."""

    def __post_init__(self) -> None:
        """Refuse what no VLA can be. Raises BadInput."""
        if self.action.gripper is None or self.action.joints or self.action.size != ARM + 1:
            raise BadInput(
                "A VLA predicts translation (3), rotation (3) and gripper; the actions given have "
                f"{self.action.size} numbers.",
                "Convert the dataset to euler angles or a rotation vector, with a gripper.",
            )
        if not self.cameras:
            raise BadInput("A VLA sees at least one camera.")
        check_ranges(self, clip_norm=(1e-3, 1), image_size=(16, 4096), centre_crop=(0.01, 1))

    def mode(self, part: Part) -> Mode:
        """How that part is trained."""
        return self.trained.get(part, "full")

    @property
    def request(self) -> ObservationRequest:
        """What it must be shown."""
        offsets = self.formulation.offsets
        return ObservationRequest(
            self.cameras, self.proprio, offsets=offsets, proprio_offsets=offsets
        )

    @property
    def chunk(self) -> int:
        """Actions predicted at once."""
        return self.decoder.chunk

    @property
    def batch_independent(self) -> bool:
        """Padding does not enter the positions, so batching changes nothing but rounding."""
        return self.setup.mrope == "native"
