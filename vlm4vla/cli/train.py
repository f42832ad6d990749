"""`bench train`: from demonstrations and a VLM to a policy."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from vlm4vla.cli.options import assignments, scalars
from vlm4vla.core.errors import MissingDependency

if TYPE_CHECKING:
    from vlm4vla.training.plan import TrainPlan
    from vlm4vla.training.trainer import Moment


def train(
    backbone: Annotated[str, typer.Option(help="VLM: bench list backbones, or module:Class.")],
    data: Annotated[list[Path], typer.Option(help="Demonstrations (repeatable).")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint.")],
    source: Annotated[
        str | None, typer.Option(help="Pretrained weights: hub id or folder [the VLM's own].")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="calvin, bridge, fractal, libero, emoji [by the data].")
    ] = None,
    preset: Annotated[
        Literal["default", "paper", "code"], typer.Option(help="Where paper and code disagree.")
    ] = "default",
    convention: Annotated[
        str | None, typer.Option(help="Meaning of the actions, where the data does not say.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Camera [the data's first].")] = None,
    chunk: Annotated[int | None, typer.Option(help="Actions predicted at once [recipe].")] = None,
    tail: Annotated[
        Literal["zeros", "repeat"] | None, typer.Option(help="Fill beyond the end [by the data].")
    ] = None,
    statistics: Annotated[
        str | None, typer.Option(help="own, none, or published quantiles by name [recipe].")
    ] = None,
    augment: Annotated[
        str | None, typer.Option(help="none, shift, crop, colour or openvla [recipe].")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Updates of the weights [recipe].")] = None,
    batch: Annotated[int | None, typer.Option(help="Samples an update, in all [recipe].")] = None,
    micro_batch: Annotated[
        int | None, typer.Option(help="Samples a process holds at once [batch / processes].")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate [recipe].")] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps of warm-up [1/4 epoch].")] = None,
    clip_gradients: Annotated[
        float | None, typer.Option(help="Largest gradient norm; 0: none [1, paper and code 0].")
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(help="vision, word_embeddings or language (repeatable); all: head only."),
    ] = None,
    lora: Annotated[int | None, typer.Option(help="Rank of LoRA; freezes the VLM.")] = None,
    scratch: Annotated[bool, typer.Option("--scratch", help="Random weights (Table 8).")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="clip_norm, gripper_loss_weight, mrope, prompt, ..."
        ),
    ] = None,
    precision: Annotated[
        Literal["bf16", "fp32"], typer.Option(help="bf16: autocast over float32 weights.")
    ] = "bf16",
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory, more time.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 123,
    save_every: Annotated[
        int | None, typer.Option(help="Steps between checkpoints [a tenth].")
    ] = None,
    log_every: Annotated[int, typer.Option(help="Steps a line of metrics.")] = 10,
    workers: Annotated[int, typer.Option(help="Processes that read samples; 0: none.")] = 2,
    holdout: Annotated[
        float, typer.Option(help="Share of trajectories to measure a loss on, not to train on.")
    ] = 0.0,
    split: Annotated[str, typer.Option(help="The data's name on the leaderboard.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and list only.")] = False,
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
    from vlm4vla.training.settings import TrainSettings, frozen_parts

    plan = resolve(
        TrainSettings(
            backbone=backbone,
            data=tuple(data),
            out=out,
            source=source,
            recipe=recipe,
            preset=preset,
            convention=convention,
            camera=camera,
            chunk=chunk,
            tail=tail,
            statistics=statistics,
            augment=augment,
            steps=steps,
            batch=batch,
            micro_batch=micro_batch,
            lr=lr,
            warmup=warmup,
            clip_gradients=clip_gradients,
            frozen=frozen_parts(freeze or ()),
            lora=lora,
            scratch=scratch,
            model=scalars(assignments("--set", set_)),
            precision=precision,
            gradient_checkpointing=gradient_checkpointing,
            seed=seed,
            save_every=save_every,
            log_every=log_every,
            workers=workers,
            holdout=holdout,
            split=split,
        )
    )
    console = Console(highlight=False)
    if dry_run:
        _describe(plan, console)
        return
    _train(plan, console)


def _train(plan: TrainPlan, console: Console) -> None:
    from vlm4vla.training.trainer import train as carry_out

    def tell(event: Moment | str) -> None:
        console.print(event if isinstance(event, str) else _line(event), soft_wrap=True)

    if os.environ.get("RANK", "0") == "0":
        _describe(plan, console)
    outcome = carry_out(plan, tell)
    if not outcome.main:
        return
    if not outcome.finished:
        console.print(f"Stopped after step {outcome.step}. The same command continues.")
        sys.exit(130)
    name = "vla" if ":" in plan.config.backbone else plan.config.backbone
    console.print(f"Next: bench run --policy {name} --checkpoint {plan.settings.out} --suite ...")


def _line(moment: Moment) -> str:
    seconds = round(moment.left_s)
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    values = moment.values
    apart = values.get("held_out_loss")
    return (
        f"step {moment.step}/{moment.steps}  loss {values['loss']:.4f}  arm {values['arm']:.4f}  "
        f"gripper {100 * values['gripper_accuracy']:.1f}%  {values['samples_per_s']:.1f} samples/s"
        f"  {clock} left" + (f"  held out {apart:.4f}" if apart is not None else "")
    )


def _describe(plan: TrainPlan, console: Console) -> None:
    """What is trained, on what, how."""
    config, settings = plan.config, plan.settings
    rows = {
        "backbone": f"{config.backbone}  {'random weights' if config.scratch else config.source}",
        "data": f"{', '.join(map(str, settings.data))}: {len(plan.samples)} samples, "
        f"camera {config.camera.name}",
        "actions": f"chunk {config.chunk}, statistics "
        f"{config.statistics.name if config.statistics else 'none'}, +-{config.clip_norm:g}",
        "preset": f"{config.preset}: mrope {config.setup.mrope}, gripper loss "
        f"{config.gripper_loss_weight:g}",
        "training": f"{plan.steps} steps of {plan.batch}, lr {plan.lr:g} after {plan.warmup} "
        f"steps, clipping {plan.clip_gradients or 'none'}, {settings.precision}",
    }
    for name, text in rows.items():
        console.print(f"{name:10} {text}", soft_wrap=True, markup=False)
