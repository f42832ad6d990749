"""How a model is trained, as a file: `benchmarks/recipes/*.yaml`, or one of the user's own.

The shipped ones hold the numbers of VLM4VLA's section 7. Where the paper's text and its published
code disagree, the presets `paper` and `code` follow one of them each; `default` is our own choice,
documented in docs/training.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vlm4vla.core.errors import BadInput, InvalidFile, UnknownName
from vlm4vla.core.files import shipped
from vlm4vla.core.formats import FileFormat
from vlm4vla.core.specs import ProprioPart
from vlm4vla.models.config import Mode, Part
from vlm4vla.models.contracts import Preset, first_fault
from vlm4vla.models.decoders.config import DecoderConfig
from vlm4vla.models.formulations.config import FormulationConfig, OneStepConfig
from vlm4vla.training.augment import Augmentation

Decay = Literal["constant", "cosine"]
_FORMAT = FileFormat("recipe")
_SUFFIXES = (".yaml", ".yml")


class NotCarriedOut(BadInput):
    """A recipe that says what this version can read but not do."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainingStage(_Part):
    """One stretch of training."""

    data: Mapping[str, float] = {}
    """Share of every batch by the name of the set; empty: what the command names, as it lies."""
    loss: Literal["actions", "text"] = "actions"
    trained: Mapping[Part, Mode] = {}
    """Per part of the backbone; `full` where none is named."""
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    """In place of `steps`."""
    batch: int = Field(ge=1)
    lr: float = Field(ge=0)
    decay: Decay = "constant"
    """Of the learning rate, behind the warm-up."""
    warmup_epochs: float = Field(default=0.25, ge=0)
    weight_decay: Mapping[Part, float] = {}
    """Per part (AdamW's, decoupled); 0 where none is named."""
    clip_gradients: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient; 0: not clipped."""

    @model_validator(mode="after")
    def _one_length(self) -> TrainingStage:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("say either steps or epochs")
        return self


class StageChange(_Part):
    """What a preset changes of every stage."""

    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    lr: float | None = Field(default=None, ge=0)
    lr_by_family: Mapping[str, float] = {}
    """Start of the backbone's name -> learning rate."""
    clip_gradients: float | None = Field(default=None, ge=0)


class Recipe(_Part):
    """A model's training, but for its backbone and the place of its data."""

    summary: str
    decoder: DecoderConfig
    formulation: FormulationConfig = OneStepConfig()
    cameras: tuple[str, ...] = ()
    """The data's first if empty."""
    proprio: tuple[str | ProprioPart, ...] = ()
    """What the decoder is told of the robot: parts by name, as the first set holds them, or written
    out, to be converted. None if empty."""
    statistics: str
    """`none`, `own` (computed from the data), or published ones by name."""
    augment: Augmentation
    execution: str
    """Default execution of a chunk in evaluation."""
    stages: tuple[TrainingStage, ...] = Field(min_length=1)
    presets: Mapping[Preset, StageChange] = {}

    def stage(self, preset: Preset, backbone: str) -> TrainingStage:
        """The only stage, under a preset and for one backbone.

        Raises NotCarriedOut for what no version before the mixes of data can do.
        """
        stage = self.stages[0]
        for asked, what in (
            (len(self.stages) > 1, f"{len(self.stages)} stages"),
            (bool(stage.data), "a mix of data"),
            (stage.loss == "text", "a loss on text"),
        ):
            if asked:
                raise NotCarriedOut(
                    f"This recipe asks for {what}; one stage of actions is carried out so far.",
                    "Train stage after stage with a recipe each: --source of the next is the "
                    "backbone/ folder of the one before.",
                )
        change = self.presets.get(preset, StageChange())
        found = change.model_dump(exclude_none=True, exclude={"lr_by_family"})
        for family, lr in change.lr_by_family.items():
            if backbone.startswith(family):
                found["lr"] = lr
        if "epochs" in found or "steps" in found:
            found = {"steps": None, "epochs": None, **found}
        return stage.model_copy(update=found)


def recipe_names() -> list[str]:
    """Those that ship."""
    return sorted(path.stem for path in (shipped("benchmarks") / "recipes").glob("*.yaml"))


def recipe(name: str) -> Recipe:
    """The recipe of that name, or in that file.

    Raises UnknownName, or InvalidFile naming the field that is wrong.
    """
    path = Path(name).expanduser()
    if path.suffix not in _SUFFIXES:
        if name not in recipe_names():
            raise UnknownName("recipe", name, recipe_names(), "Your own: --recipe FILE.yaml")
        path = shipped("benchmarks") / "recipes" / f"{name}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Recipe.model_validate(_FORMAT.upgraded(content, path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from error
    except ValidationError as error:
        raise InvalidFile(f"{path}: {first_fault(error)}") from error
