"""What a formulation is, without weights: the fields under `formulation:`; torch-free."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vlm4vla.core.errors import OutOfRange
from vlm4vla.core.options import check_ranges
from vlm4vla.models.contracts import Tagged

if TYPE_CHECKING:
    from vlm4vla.models.formulations.formulation import Formulation


@dataclass(frozen=True, kw_only=True)
class FormulationConfig(Tagged):
    """Subclass, add fields, and build the module."""

    group = "formulations"
    shipped: ClassVar = {"one_step": "vlm4vla.models.formulations.config:OneStepConfig"}

    window: int = 1
    """Frames of the history that are seen, the present among them."""
    stride: int = 1
    """Steps between two of them."""

    def __post_init__(self) -> None:
        """Refuse numbers that no history can have. Raises OutOfRange."""
        super().__post_init__()
        check_ranges(self, window=(1, 1000), stride=(1, 1000))

    @property
    def offsets(self) -> tuple[int, ...]:
        """Steps, relative to the present, whose frames are seen; oldest first, 0 last."""
        return tuple(range(-(self.window - 1) * self.stride, 1, self.stride))

    @abstractmethod
    def pictures(self, cameras: int) -> int:
        """How many pictures stand in one sequence."""

    @abstractmethod
    def build(self, hidden: int, cameras: int) -> Formulation:
        """The module for a backbone of that width."""


@dataclass(frozen=True, kw_only=True)
class OneStepConfig(FormulationConfig):
    """The present alone: one sequence a sample, all cameras in it."""

    kind: str = "one_step"

    def __post_init__(self) -> None:
        """It has no history. Raises OutOfRange."""
        super().__post_init__()
        if self.window != 1:
            raise OutOfRange("one_step sees the present alone: its window is 1.")

    def pictures(self, cameras: int) -> int:
        """One of each camera."""
        return cameras

    def build(self, hidden: int, cameras: int) -> Formulation:
        """It has no weights."""
        from vlm4vla.models.formulations.formulation import OneStep

        return OneStep(hidden)
