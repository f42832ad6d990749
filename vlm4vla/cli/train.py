"""`bench train`: from demonstrations and a VLM to a policy."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from vlm4vla.cli.options import Spread
from vlm4vla.cli.screen import clock, screen
from vlm4vla.core.errors import MissingDependency
from vlm4vla.training.settings import TrainSettings, frozen_parts

if TYPE_CHECKING:
    from vlm4vla.training.plan import TrainPlan
    from vlm4vla.training.trainer import TrainingLine


def train(
    settings: Annotated[TrainSettings, Spread(readers={"frozen": frozen_parts})],
    dry_run: Annotated[bool, "Check and list only."] = False,
) -> None:
    """Turn a VLM into a VLA. The same command continues where it was stopped.

    Several GPUs: accelerate launch --num_processes N -m vlm4vla.cli train ...
    """
    try:
        import accelerate  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            "Training needs torch and its company.", 'pip install "vlm4vla[models]"'
        ) from error
    from vlm4vla.training.plan import resolve
    from vlm4vla.training.trainer import train as carry_out

    plan = resolve(settings)
    console = screen()
    if dry_run or os.environ.get("RANK", "0") == "0":
        for name, text in _described(plan).items():
            console.print(f"{name:10} {text}", soft_wrap=True)
    if dry_run:
        return

    def tell(event: TrainingLine | str) -> None:
        console.print(event if isinstance(event, str) else _line(event), soft_wrap=True)

    outcome = carry_out(plan, tell)
    if not outcome.main:
        return
    if not outcome.finished:
        console.print(f"Stopped after step {outcome.step}. The same command continues.")
        sys.exit(130)
    name = "vla" if ":" in plan.config.backbone else plan.config.backbone
    console.print(f"Next: bench run --policy {name} --checkpoint {settings.out} --suite ...")


def _line(line: TrainingLine) -> str:
    losses = "  ".join(f"{name} {value:.4f}" for name, value in line.losses.items())
    apart = line.values.get("held_out_loss")
    return (
        f"step {line.step}/{line.steps}  {losses}  {line.values['samples_per_s']:.1f} samples/s"
        f"  {clock(line.left_s)} left" + (f"  held out {apart:.4f}" if apart is not None else "")
    )


def _described(plan: TrainPlan) -> dict[str, str]:
    """What is trained, on what, how."""
    config, settings = plan.config, plan.settings
    return {
        "backbone": f"{config.backbone}  {'random weights' if config.scratch else config.source}",
        "data": f"{', '.join(map(str, settings.data))}: {len(plan.source)} samples, "
        f"camera {', '.join(camera.name for camera in config.cameras)}",
        "actions": f"chunk {config.chunk}, statistics "
        f"{config.statistics.name if config.statistics else 'none'}, +-{config.clip_norm:g}",
        "preset": f"{config.preset}: mrope {config.setup.mrope}",
        "decoder": ", ".join(f"{name} {value}" for name, value in asdict(config.decoder).items()),
        "training": f"{plan.steps} steps of {plan.batch}, lr {plan.lr:g} after {plan.warmup} "
        f"steps, clipping {plan.clip_gradients or 'none'}, {settings.precision}",
    }
