"""Episodes of LIBERO's suites, of LIBERO-PRO's perturbed ones, and of new initial states.

A suite's tasks are the official ones throughout: a perturbation has other words, looks, places or
goals for each, and initial states of its own. These vary less than the official ones; so every
perturbation has a control, which plays its initial states with everything else official.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.errors import InvalidFile, OutOfRange, UnknownName
from vlm4vla.core.options import Bounds, read

MAX_STEPS = {
    "libero_spatial": 220,
    "libero_object": 280,
    "libero_goal": 300,
    "libero_10": 520,
    "libero_90": 400,
}
"""Actions of the policy, after settling, as OpenVLA's evaluation counts them."""
INTERLEAVED = 5
"""Settling steps that VLM4VLA's loop leaves out: the policy gets them in addition."""

_TABLE = Path(__file__).with_name("libero_tasks.csv")
_LADDER = re.compile(r"temp_[xy]0\.[1-5]")
_SCENE = re.compile(r"^[A-Z_]+SCENE\d+_")
_STATES = 50
"""Initial states in each file, official or LIBERO-PRO's, but one."""
_WITHOUT_STATES = {"libero_object_temp_y0.5": "pick_up_the_cream_cheese_and_place_it_in_the_basket"}
_WORDS = {"lan": "other_words", "task": "other_goal"}
"""Perturbation -> the column with its sentences; the others keep the official one."""
_OWN_PLACES = ("lan", "object", "task")
"""Perturbations that leave things where they are, so that their states are their control's."""


@dataclass(frozen=True)
class LiberoEpisodes:
    """Which episodes a suite has."""

    suite: Literal["libero_spatial", "libero_object", "libero_goal", "libero_10", "libero_90"]
    perturbation: str = ""
    """Of LIBERO-PRO: lan, object, swap, task, or temp_x0.1 to temp_y0.5 (libero_object alone)."""
    states: Literal["official", "fresh"] = "official"
    """`fresh`: the task's own sampler draws them, from the episode's seed."""
    count: Annotated[int, Bounds(1, 100_000)] = _STATES
    leave_out: str = ""
    """A task that is not played."""


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """`count` initial states of each task.

    Options that matter here: `control` and `settle`, which gives the policy five steps more.

    Raises UnknownName, or InvalidFile for a task that has no initial states.
    """
    chosen = read(LiberoEpisodes, arguments, f"the episodes of suite '{suite}'")
    if chosen.states == "official" and chosen.count > _STATES:
        raise OutOfRange(f"Suite '{suite}' has {_STATES} initial states a task.")
    limit = MAX_STEPS[chosen.suite] + INTERLEAVED * (options.get("settle") == "interleaved")
    folder = _folder(chosen)
    setup = {"scene": folder, "states": "" if chosen.states == "fresh" else folder}
    control = str(options.get("control", "")).lower() in ("true", "yes")
    if control:
        setup["scene"] = chosen.suite
        if chosen.perturbation not in _OWN_PLACES:
            setup["states"] = f"{chosen.suite}_lan"
    made = []
    for row in _rows():
        task = row["task"]
        if row["suite"] != chosen.suite or task == chosen.leave_out:
            continue
        if task == _WITHOUT_STATES.get(setup["states"]):
            raise InvalidFile(
                f"LIBERO-PRO's file {setup['states']}/{task}.pruned_init holds no initial state.",
                f"Leave the task out: `episodes: {{leave_out: {task}}}` in the suite file.",
            )
        words = "" if control else row.get(_WORDS.get(chosen.perturbation, ""), "")
        words = words or _SCENE.sub("", task).replace("_", " ")
        keys = (EpisodeKey(suite, task, init) for init in range(chosen.count))
        made += [Episode(key, words, limit, dict(setup)) for key in keys]
    return made


def _folder(chosen: LiberoEpisodes) -> str:
    """What the package calls the perturbed suite."""
    known = () if chosen.suite == "libero_90" else ("lan", "object", "swap", "task")
    ladder = chosen.suite == "libero_object" and _LADDER.fullmatch(chosen.perturbation)
    if chosen.perturbation and not ladder and chosen.perturbation not in known:
        raise UnknownName(f"perturbation of {chosen.suite}", chosen.perturbation, known)
    return "_".join(part for part in (chosen.suite, chosen.perturbation) if part)


@cache
def _rows() -> tuple[Mapping[str, str], ...]:
    """The tasks, in the benchmark's order."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
