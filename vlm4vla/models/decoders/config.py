"""What a decoder is, without its weights: the fields under `decoder:`; torch-free."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from vlm4vla.core.options import check_ranges
from vlm4vla.models.contracts import Conventions, Needs, Preset, Tagged

if TYPE_CHECKING:
    from vlm4vla.models.decoders.decoder import ActionDecoder


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(Tagged):
    """Subclass, add fields, say what is needed, and build the network."""

    group = "decoders"
    shipped: ClassVar = {"mlp": "vlm4vla.models.decoders.config:MLPConfig"}

    chunk: int = 10
    """Actions predicted at once: 10 on CALVIN, 4 on Bridge, LIBERO and Fractal in the paper."""

    def __post_init__(self) -> None:
        """Refuse numbers that no decoder can have. Raises OutOfRange."""
        super().__post_init__()
        check_ranges(self, chunk=(1, 1000))

    @property
    def needs(self) -> Needs:
        """What it asks of the backbone."""
        return Needs()

    def under(self, preset: Preset) -> Self:
        """Itself where paper and code agree about it."""
        return self

    @abstractmethod
    def build(self, width: int, conventions: Conventions) -> ActionDecoder:
        """The network with fresh weights, for states of that width."""


@dataclass(frozen=True, kw_only=True)
class MLPConfig(DecoderConfig):
    """VLM4VLA's head: the whole chunk in one shot from one state."""

    kind: str = "mlp"
    arm_loss: Literal["huber", "mse"] = "huber"
    gripper_loss_weight: float = 0.01
    """Of the gripper's cross-entropy beside the arm's loss: 0.01 in the code, 1 in Eq. 1."""

    def __post_init__(self) -> None:
        """See DecoderConfig."""
        super().__post_init__()
        check_ranges(self, gripper_loss_weight=(0, 1e3))

    def under(self, preset: Preset) -> Self:
        """The paper's Eq. 1 weighs both losses alike."""
        return replace(self, gripper_loss_weight=1.0) if preset == "paper" else self

    def build(self, width: int, conventions: Conventions) -> ActionDecoder:
        """Xavier-uniform weights, zero biases."""
        from vlm4vla.models.decoders.mlp import MLPDecoder

        told = sum(part.size for part in conventions.proprio)
        return MLPDecoder(
            width, conventions, self.chunk, self.arm_loss, self.gripper_loss_weight, told
        )
