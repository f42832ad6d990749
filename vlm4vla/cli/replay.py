"""`bench replay`: execute stored or given actions again, and see what the policy saw."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import print_json
from vlm4vla.cli.signature import Spread
from vlm4vla.core.errors import BadInput
from vlm4vla.runs.request import RunRequest

if TYPE_CHECKING:
    from vlm4vla.runs.replay import Pictures, Replay


_RANDOM = RunRequest("random", "")
_GIVEN = Spread(
    ("seed", "protocol", "options", "python"),
    defaults={"policy": "random", "suite": ""},
    helps={"seed": "Seed of the episode."},
)
"""`random` stands for a policy that is never asked."""


def replay(
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
    request: Annotated[RunRequest, _GIVEN] = _RANDOM,
    video: Annotated[Path | None, "Write an mp4 of every step."] = None,
    sheet: Annotated[Path | None, "Write a contact sheet (PNG) of what the policy saw."] = None,
    store: StoreOption = None,
    json_: JsonOption = False,
) -> None:
    """Execute an episode's actions again and check the outcome; exit code 1 if it differs."""
    from vlm4vla.runs.replay import Pictures

    _check_target("--video", video, ".mp4")
    _check_target("--sheet", sheet, ".png")
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) if sheet else None
        pictures = Pictures(video, frames)
        if run is not None:
            done = _stored(run, episode, store, pictures, request.python)
        else:
            done = _given(suite, task, init, actions, request, pictures)
        if sheet and frames:
            _write_sheet(frames, sheet, done)
    _tell(done, json_)
    if done.differences or done.result.error is not None:
        sys.exit(1)


def _stored(
    run: str, episode: str | None, where: str | None, pictures: Pictures, python: str | None
) -> Replay:
    from vlm4vla.runs.replay import replay_stored
    from vlm4vla.store import Store

    if episode is None:
        raise BadInput("Which episode?", "Add --episode TASK/INIT (bench show RUN lists them).")
    task, slash, init = episode.rpartition("/")
    if not init.isdigit():
        raise BadInput(f"'{episode}' is not TASK/INIT.", "Write e.g. --episode far/3")
    with Store.open(where) as store:
        return replay_stored(store, run, task if slash else None, int(init), pictures, python)


def _given(
    suite: str | None,
    task: str | None,
    init: int | None,
    actions: Path | None,
    request: RunRequest,
    pictures: Pictures,
) -> Replay:
    from vlm4vla.runs.replay import replay_file

    if suite is None or init is None or actions is None:
        raise BadInput(
            "Nothing to replay.",
            "bench replay RUN --episode TASK/INIT, or "
            "bench replay --suite S --task T --init K --actions FILE.npy",
        )
    tasks = (task,) if task else ()
    return replay_file(replace(request, suite=suite, tasks=tasks, inits=(init,)), actions, pictures)


def _check_target(flag: str, path: Path | None, ending: str) -> None:
    """Raise BadInput before any work, not after it, if the picture cannot be written there."""
    if path is None:
        return
    if path.suffix.lower() != ending or path.is_dir():
        raise BadInput(
            f"{flag} {path} is not a file that ends in {ending}.",
            f"Write e.g. {flag} episode{ending}",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise BadInput(
            f"{flag} {path} cannot be written: {error.strerror}.",
            f"Choose a folder that you may write to: {flag} FOLDER/episode{ending}",
        ) from error


def _write_sheet(frames: Path, sheet: Path, done: Replay) -> None:
    from vlm4vla.reports.sheet import write_sheet

    title = f"{done.result.key}: {done.result.instruction} ({done.result.outcome.value})"
    write_sheet(sorted(frames.glob("*/*.png")), sheet, title)


def _tell(done: Replay, as_json: bool) -> None:
    result = done.result
    if as_json:
        shown = {
            "episode": str(result.key),
            "instruction": result.instruction,
            "outcome": result.outcome.value,
            "success": result.outcome.value == "success",
            "success_any": result.success_any,
            "success_last": result.success_last,
            "steps": result.steps,
            # Other people's simulators may count where they should say yes or no.
            "stages": {name: bool(reached) for name, reached in result.stages.items()},
            "measures": {
                name: None if value is None else float(value)
                for name, value in result.measures.items()
            },
            "error": result.error_text or None,
            "differences": list(done.differences),
            "changed": list(done.changed),
        }
        print_json(shown)
        return
    console = Console(highlight=False)
    console.print(f"{result.key}: {result.outcome.value} after {result.steps} steps")
    if result.error_text:
        console.print(result.error_text, markup=False)
    for line in done.changed:
        console.print(f"note: {line}", markup=False)
    for line in done.differences:
        console.print(f"differs: {line}", markup=False, style="red")
    if done.stored is not None and not done.differences:
        console.print("as stored")
