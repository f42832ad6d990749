"""`bench demos`: record demonstrations to train on."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from rich.console import Console

from vlm4vla.cli.options import Spread, StoreOption, check_writable
from vlm4vla.cli.progress import LINE_EVERY_S, end_if_interrupted, watched
from vlm4vla.cli.screen import clock, screen
from vlm4vla.core.errors import BadInput, OutOfRange
from vlm4vla.demonstrations.recorder import Drawn, FrameSelection, Recorder, camera_requests
from vlm4vla.runs.plan import RunPlan, resolve
from vlm4vla.runs.record import recorder
from vlm4vla.runs.replay import request_of
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store, beside

_PLAYED = "played"
"""Name of the store in the data set's folder that holds the first pass."""


def _frames(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise OutOfRange(f"--frames {text} is neither a number from 1 nor `all`.")
    return int(text)


_PLAY = Spread(
    only=(
        "suite", "policy", "tasks", "inits", "episodes", "seed", "protocol", "options", "python",
        "slots",
    ),
    defaults={"policy": "expert", "suite": ""},
    helps={
        "policy": "Who plays.",
        "suite": "Suite whose episodes the policy plays: a name or YAML.",
    },
)  # fmt: skip


def demos(
    out: Annotated[Path, "Folder of the data set."],
    request: Annotated[RunRequest, _PLAY],
    *,
    run: Annotated[str | None, "Instead of playing: the successes of this stored run."] = None,
    selection: Annotated[FrameSelection, Spread(readers={"frames": _frames})],
    store: StoreOption = None,
) -> None:
    """Record demonstrations: play blind, then render only the steps that training will see.

    The same command continues where it was stopped. Train with: bench train --data OUT
    """
    console = screen()
    check_writable(f"--out {out}", out, "Name a folder that you own.")
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
    console.print("1 of 2: play, without pictures")
    place = beside(out, _PLAYED)
    with Store.open(place, create=True) as store:
        summary = watched(plan, store, console)
    end_if_interrupted(summary.interrupted, console)
    if not summary.complete:
        command = f"bench show {summary.run} --store {place}"
        console.print(
            f"{summary.errors} episodes ended in an error; see: {command}", soft_wrap=True
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
            console.print(f"{drawn.key}: {drawn.problem}", soft_wrap=True)
        if now - last > LINE_EVERY_S and fresh:
            last = now
            left = clock((now - began) / fresh * (len(recorder) - done))
            console.print(f"{done}/{len(recorder)} episodes, {pictures} pictures, {left} left")

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
