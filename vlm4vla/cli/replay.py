"""`bench replay`: execute stored or given actions again, and see what the policy saw."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from vlm4vla.cli.options import JsonOption, Spread, StoreOption, check_writable
from vlm4vla.cli.screen import print_json, screen
from vlm4vla.core.errors import BadInput
from vlm4vla.runs.replay import Pictures, Replay, replay_file, replay_stored
from vlm4vla.runs.request import RunRequest
from vlm4vla.runs.sheet import write_sheet
from vlm4vla.store import Store

_GIVEN = Spread(
    ("seed", "protocol", "options", "python"),
    defaults={"policy": "random", "suite": ""},
    helps={"seed": "Seed of the episode."},
)
"""`random` stands for a policy that is never asked."""


def replay(
    *,
    run: Annotated[
        str | None, typer.Argument(help="A stored run (or the start of its id).")
    ] = None,
    episode: Annotated[str | None, "Which of its episodes: TASK/INIT, or INIT."] = None,
    suite: Annotated[str | None, "Instead of a run: a suite ..."] = None,
    task: Annotated[str | None, "... its task ..."] = None,
    init: Annotated[int | None, "... the initial state ..."] = None,
    actions: Annotated[
        Path | None, "... and a .npy of actions (T, A), the simulator's own."
    ] = None,
    request: Annotated[RunRequest, _GIVEN],
    video: Annotated[Path | None, "Write an mp4 of every step."] = None,
    sheet: Annotated[Path | None, "Write a contact sheet (PNG) of what the policy saw."] = None,
    store: StoreOption = None,
    json_: JsonOption = False,
) -> None:
    """Execute an episode's actions again and check the outcome; exit code 1 if it differs."""
    _check_target("--video", video, ".mp4")
    _check_target("--sheet", sheet, ".png")
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) if sheet else None
        pictures = Pictures(video, frames)
        if run is not None:
            named, number = _place(episode)
            with Store.open(store) as opened:
                done = replay_stored(opened, run, named, number, pictures, request.python)
        elif suite is not None and init is not None and actions is not None:
            request = replace(request, suite=suite, tasks=(task,) if task else (), inits=(init,))
            done = replay_file(request, actions, pictures)
        else:
            raise BadInput(
                "Nothing to replay.",
                "bench replay RUN --episode TASK/INIT, or "
                "bench replay --suite S --task T --init K --actions FILE.npy",
            )
        if sheet and frames:
            result = done.result
            title = f"{result.key}: {result.instruction} ({result.outcome.value})"
            write_sheet(sorted(frames.glob("*/*.png")), sheet, title)
    if json_:
        print_json(_facts(done))
    else:
        _tell(done)
    if done.differences or done.result.error is not None:
        sys.exit(1)


def _place(episode: str | None) -> tuple[str | None, int]:
    """Task, if it is named, and init."""
    if episode is None:
        raise BadInput("Which episode?", "Add --episode TASK/INIT (bench show RUN lists them).")
    task, slash, init = episode.rpartition("/")
    if not init.isdigit():
        raise BadInput(f"'{episode}' is not TASK/INIT.", "Write e.g. --episode far/3")
    return task if slash else None, int(init)


def _check_target(flag: str, path: Path | None, ending: str) -> None:
    """Raise BadInput before any work, not after it, if the picture cannot be written there."""
    if path is None:
        return
    if path.suffix.lower() != ending or path.is_dir():
        raise BadInput(
            f"{flag} {path} is not a file that ends in {ending}.",
            f"Write e.g. {flag} episode{ending}",
        )
    fix = f"Choose a folder that you may write to: {flag} FOLDER/episode{ending}"
    check_writable(f"{flag} {path}", path.parent, fix)


def _facts(done: Replay) -> dict[str, object]:
    result = done.result
    return {
        "episode": str(result.key),
        "instruction": result.instruction,
        "outcome": result.outcome.value,
        "success": result.outcome.value == "success",
        "success_any": result.success_any,
        "success_last": result.success_last,
        "steps": result.steps,
        # Other people's simulators may count where they should say yes or no.
        "stages": {name: bool(reached) for name, reached in result.stages.items()},
        "measures": {n: None if v is None else float(v) for n, v in result.measures.items()},
        "error": result.error_text or None,
        "differences": done.differences,
        "changed": done.changed,
    }


def _tell(done: Replay) -> None:
    console, result = screen(), done.result
    console.print(f"{result.key}: {result.outcome.value} after {result.steps} steps")
    if result.error_text:
        console.print(result.error_text)
    for line in done.changed:
        console.print(f"note: {line}")
    for line in done.differences:
        console.print(f"differs: {line}", style="red")
    if done.stored is not None and not done.differences:
        console.print("as stored")
