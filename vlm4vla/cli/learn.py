"""`bench learn`: a policy that has learned the emoji task, and its twin from scratch, offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console

from vlm4vla.cli.demos import demos
from vlm4vla.cli.screen import screen
from vlm4vla.core.errors import BadInput, MissingAsset, MissingDependency, OutOfRange
from vlm4vla.demonstrations.recorder import FrameSelection
from vlm4vla.runs.request import RunRequest

if TYPE_CHECKING:
    from vlm4vla.studies.emoji.small import SmallSettings
    from vlm4vla.training.trainer import TrainingLine

_PLAYED = RunRequest("expert", "grinningface_demos", options={"robot": "panda"})
_SEEN = FrameSelection(frames=1, size=448)
"""All that the small VLA ever looks at."""


def learn(
    out: Annotated[Path, "Folder for demonstrations and checkpoints."],
    episodes: Annotated[int, "Demonstrations, up to 500."] = 500,
    views: Annotated[int, "Pictures of every emoji for the alignment."] = 2,
    steps: Annotated[int, "Updates of the weights."] = 1500,
    batch: Annotated[int, "Samples an update."] = 32,
    seed: Annotated[int, "Of alignment, weights and order."] = 123,
    only: Annotated[Literal["pretrained", "scratch"] | None, "One of the two networks."] = None,
    threads: Annotated[int, "CPU threads of the networks."] = 2,
    slots: Annotated[int | None, "Simulators side by side [chosen]."] = None,
) -> None:
    """Demonstrate, align, train: two small VLAs from parts that ship in Python packages.

    OUT/demos, OUT/aligned, OUT/pretrained and OUT/scratch; what is there is not made again.
    """
    try:
        import emoji  # noqa: F401
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            "The small VLA needs torch and its company.", 'pip install "vlm4vla[emoji,small]"'
        ) from error
    if not 2 <= episodes <= 500:
        raise OutOfRange(f"--episodes {episodes} is outside 2..500.")
    if not 1 <= threads <= 256:
        raise OutOfRange(f"--threads {threads} is outside 1..256.")
    from vlm4vla.studies.emoji.network.mobilenet import imagenet_weights
    from vlm4vla.studies.emoji.network.text import minilm_folder
    from vlm4vla.studies.emoji.small import BACKBONE, SmallSettings

    chosen = [
        SmallSettings(
            out / "demos", out / "aligned", out / name, name == "scratch", steps=steps,
            batch=batch, seed=seed, threads=threads,
        )
        for name in ("pretrained", "scratch")
        if only in (None, name)
    ]  # fmt: skip
    # Say what is in the way, or missing, before anything long begins.
    _check_what_is_there(chosen)
    imagenet_weights(), minilm_folder()
    console = screen()
    torch.set_num_threads(threads)
    played = replace(_PLAYED, episodes=episodes, slots=slots)
    demos(out / "demos", played, selection=_SEEN)
    _align(out / "aligned", views, seed, console)
    for settings in chosen:
        _train(settings, console)
    for settings in chosen:
        console.print(
            f"Next: bench run --policy {BACKBONE} --checkpoint {settings.out} "
            "--suite grinningface_val --set robot=panda",
            soft_wrap=True,
        )


def _check_what_is_there(chosen: Sequence[SmallSettings]) -> None:
    """Refuse weights of another design, which would not be made again. Raises BadInput."""
    from vlm4vla.models.config import Setup
    from vlm4vla.models.manifest import BACKBONE, FILE
    from vlm4vla.studies.emoji.alignment import FACTS
    from vlm4vla.studies.emoji.network.backbone import MobileNetMiniLM

    done = [(s.source, s.source) for s in chosen[:1] if (s.source / FACTS).is_file()]
    done += [(s.out, s.out / BACKBONE) for s in chosen if (s.out / FILE).is_file()]
    for folder, weights in done:
        try:
            MobileNetMiniLM.load(weights, Setup())
        except MissingAsset as error:
            raise BadInput(
                error.message, f"Choose another --out, or remove what is there: rm -r {folder}"
            ) from error


def _align(out: Path, views: int, seed: int, console: Console) -> None:
    from vlm4vla.studies.emoji.alignment import FACTS, align

    if (out / FACTS).is_file():
        console.print(f"{out}: there already")
        return
    console.print("align: render emojis that are not in val, and fit")

    def tell(done: int, total: int) -> None:
        if done % 120 == 0 or done == total:
            console.print(f"{done}/{total} scenes")

    report = align(out, views, seed, tell)
    console.print(
        f"{out}: {len(report.emojis)} emojis, {report.scenes} scenes; one of three cards found: "
        f"{100 * report.held_out:.1f}% of the time for emojis left out of the fit",
        soft_wrap=True,
    )


def _train(settings: SmallSettings, console: Console) -> None:
    from vlm4vla.models.manifest import FILE
    from vlm4vla.studies.emoji.small import train

    if (settings.out / FILE).is_file():
        console.print(f"{settings.out}: there already")
        return

    def tell(line: TrainingLine) -> None:
        values = line.values
        console.print(
            f"{settings.out.name} step {line.step}/{line.steps}  loss {values['loss']:.4f}  "
            f"held out {values.get('held_out_loss', float('nan')):.4f}  {values['seconds']:.0f} s",
            soft_wrap=True,
        )

    train(settings, tell)
    console.print(f"checkpoint {settings.out}")
