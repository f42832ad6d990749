"""Episodes of CALVIN's long-horizon evaluation: one chain of five subtasks each."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from vlm4vla.core.assets import locate
from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.options import Bounds, read
from vlm4vla.suites.calvin_rules import TASKS
from vlm4vla.suites.calvin_sequences import COUNT, LENGTH, Chain, sequences
from vlm4vla.suites.calvin_states import ROBOT_OBS, scene_obs
from vlm4vla.suites.files import read_yaml

TASK = "chain"
SCENE = "calvin_scene_D"
STEPS_PER_SUBTASK = 360

OFFICIAL = "validation"
"""The sentences that published numbers were made with, one a subtask."""

Sentences = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class _Arguments:
    count: Annotated[int, Bounds(1, COUNT)] = COUNT


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """The first `count` chains, in the order of the benchmark; `init` is the chain's place there.

    Option that matters here: `annotations`, the official `validation` sentences or a YAML file
    `subtask: [sentence, ...]`. MissingAsset where the official ones are not installed.
    """
    count = read(_Arguments, arguments, f"the episodes of '{suite}'").count
    sentences = load_sentences(str(options.get("annotations", OFFICIAL)))
    return [
        _episode(EpisodeKey(suite, TASK, index), chain, sentences)
        for index, chain in enumerate(sequences()[:count])
    ]


def load_sentences(source: str) -> Sentences:
    """Subtask -> its sentences, for all 34.

    Raises MissingAsset, or InvalidFile naming what is wrong with a file of one's own.
    """
    path = (
        locate("calvin", "annotations") / "new_playtable_validation.yaml"
        if source == OFFICIAL
        else Path(source).expanduser()
    )
    fix = "Write `subtask: [sentence, ...]` for each of the 34 subtasks."
    content = read_yaml(path, "Annotations", fix)
    if not isinstance(content, dict):
        raise InvalidFile(f"Annotations {path} hold no subtasks.", fix)
    UnknownName.check(f"CALVIN subtask (in {path})", map(str, content), TASKS)
    for task in TASKS:
        found = content.get(task) or [None]  # an empty list says nothing either
        if not isinstance(found, list) or not all(isinstance(s, str) and s.strip() for s in found):
            raise InvalidFile(f"Annotations {path}: '{task}' has no list of sentences.", fix)
    return content


def _episode(key: EpisodeKey, chain: Chain, sentences: Sentences) -> Episode:
    instructions = [_choose(sentences[task], key, task) for task in chain.subtasks]
    setup: dict[str, JSON] = {
        "scene": SCENE,
        "initial_state": dict(chain.scene),
        "robot_obs": list(ROBOT_OBS),
        "scene_obs": scene_obs(chain.scene),
        "subtasks": list(chain.subtasks),
        "instructions": list(instructions),
        "steps_per_subtask": STEPS_PER_SUBTASK,
    }
    return Episode(key, instructions[0], LENGTH * STEPS_PER_SUBTASK, setup)


def _choose(sentences: Sequence[str], key: EpisodeKey, task: str) -> str:
    """One of a subtask's sentences: always the same one in the same chain."""
    return sentences[zlib.crc32(f"{key.init}/{task}".encode()) % len(sentences)]
