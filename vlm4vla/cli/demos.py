"""`bench demos`: record demonstrations to train on."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from vlm4vla.cli.options import StoreOption
from vlm4vla.cli.signature import Spread
from vlm4vla.core.errors import BadInput, OutOfRange
from vlm4vla.runs.request import RunRequest

if TYPE_CHECKING:
    from vlm4vla.demonstrations.recorder import Drawn, Recorder
    from vlm4vla.runs.plan import RunPlan

_LINE_EVERY_S = 10.0
_PLAYED = "played"
"""Name of the store in the data set's folder that holds the first pass."""
_TAKEN = (
    "suite", "policy", "tasks", "inits", "episodes", "seed", "protocol", "options", "python",
    "slots",
)  # fmt: skip


def demos(
    out: Annotated[Path, "Folder of the data set."],
    request: Annotated[
        RunRequest,
        Spread(
            _TAKEN,
            defaults={"policy": "expert", "suite": ""},
            helps={
                "policy": "Who plays.",
                "suite": "Suite whose episodes the policy plays: a name or YAML.",
            },
        ),
    ],
    run: Annotated[str | None, "Instead of playing: the successes of this stored run."] = None,
    frames: Annotated[
        str, typer.Option(metavar="N|all", help="Steps of an episode to render, drawn by lot.")
    ] = "16",
    camera: Annotated[tuple[str, ...], "Camera (repeatable) [the simulator's first]."] = (),
    size: Annotated[int | None, "Pixels a side [the camera's own]."] = None,
    failures: Annotated[bool, "Keep episodes without success."] = False,
    store: StoreOption = None,
) -> None:
    """Record demonstrations: play blind, then render only the steps that training will see.

    The same command continues where it was stopped. Train with: bench train --data OUT
    """
    from vlm4vla.demonstrations.recorder import FrameSelection, camera_requests
    from vlm4vla.runs.plan import resolve
    from vlm4vla.runs.record import recorder
    from vlm4vla.runs.replay import request_of
    from vlm4vla.store import Store, beside

    console = Console(highlight=False)
    selection = FrameSelection(_frames(frames), camera, _size(size), failures)
    _check_out(out)
    if bool(request.suite) == (run is not None):
        raise BadInput(
            "Say what to record: --suite or --run.",
            f"bench demos --suite grinningface_demos --out {out}",
        )
    if run is None:
        plan = resolve(request)
        camera_requests(plan.simulator_spec, selection)
        plan.facts(rendering=True)
        played = _play(plan, out, console)
        with Store.open(beside(out, _PLAYED)) as opened:
            takes = recorder(plan, opened, played, out, selection)
    else:
        with Store.open(store) as opened:
            record = opened.run(run)
            chosen = request_of(record, request.tasks, request.inits)
            plan = resolve(replace(chosen, python=request.python or chosen.python))
            takes = recorder(plan, opened, record.id, out, selection)
    _draw(takes, request.slots or plan.slots, out, console)


def _play(plan: RunPlan, out: Path, console: Console) -> str:
    """The first pass; ends the command if it is not complete."""
    from vlm4vla.cli.progress import LiveProgress
    from vlm4vla.runs.execute import execute
    from vlm4vla.store import Store, beside

    console.print("1 of 2: play, without pictures")
    place = beside(out, _PLAYED)
    with Store.open(place, create=True) as store, LiveProgress(plan, console) as progress:
        summary = execute(plan, store, progress.observe)
    if summary.interrupted:
        console.print("Interrupted. The same command continues.")
        sys.exit(130)
    if not summary.complete:
        console.print(
            f"{summary.errors} episodes ended in an error; see: "
            f"bench show {summary.run} --store {place}",
            soft_wrap=True,
        )
        sys.exit(1)
    return summary.run


def _draw(recorder: Recorder, slots: int, out: Path, console: Console) -> None:
    """The second pass, with a line now and then."""
    console.print(f"2 of 2: render {len(recorder)} episodes")
    began = last = time.monotonic()
    done = fresh = pictures = problems = 0

    def tell(drawn: Drawn) -> None:
        nonlocal last, done, fresh, pictures, problems
        done, fresh = done + 1, fresh + (not drawn.already)
        pictures += drawn.pictures
        now = time.monotonic()
        if drawn.problem:
            problems += 1
            console.print(f"{drawn.key}: {drawn.problem}", soft_wrap=True, markup=False)
        if now - last > _LINE_EVERY_S and fresh:
            last = now
            left = round((now - began) / fresh * (len(recorder) - done))
            clock = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
            console.print(f"{done}/{len(recorder)} episodes, {pictures} pictures, {clock} left")

    recorder.run(slots, tell)
    console.print(
        f"{done - problems} episodes, {pictures} pictures in {out}"
        + (f"; {recorder.left_out} failed episodes left out" if recorder.left_out else "")
    )
    if problems:
        console.print(
            f"{problems} episodes could not be rendered; the set is not finished. "
            "The same command tries them again.",
            soft_wrap=True,
        )
        sys.exit(1)


def _frames(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise OutOfRange(f"--frames {text} is neither a number from 1 nor `all`.")
    return int(text)


def _size(size: int | None) -> int | None:
    if size is not None and not 8 <= size <= 4096:
        raise OutOfRange(f"--size {size} is outside 8..4096 pixels.")
    return size


def _check_out(out: Path) -> None:
    """Fail before any work if nothing can be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"--out {out} cannot be written: {error.strerror}.", "Name a folder that you own."
        ) from error
