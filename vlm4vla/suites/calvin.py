"""Episodes of CALVIN's long-horizon evaluation: one chain of five subtasks each."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from vlm4vla.core.assets import locate
from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.errors import InvalidFile, OutOfRange, UnknownName
from vlm4vla.suites.calvin_rules import TASKS
from vlm4vla.suites.calvin_sequences import LENGTH, Chain, sequences
from vlm4vla.suites.calvin_states import ROBOT_OBS, scene_obs

TASK = "chain"
SCENE = "calvin_scene_D"
STEPS_PER_SUBTASK = 360

OFFICIAL = "validation"
"""The sentences that published numbers were made with, one a subtask."""

Sentences = Mapping[str, Sequence[str]]


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """The first `count` chains, in the order of the benchmark; `init` is the chain's place there.

    Option that matters here: `annotations`, the official `validation` sentences or a YAML file
    `subtask: [sentence, ...]`. MissingAsset where the official ones are not installed.
    """
    count = _count(arguments)
    sentences = load_sentences(str(options.get("annotations", OFFICIAL)))
    return [
        _episode(EpisodeKey(suite, TASK, index), chain, sentences)
        for index, chain in enumerate(sequences()[:count])
    ]


def load_sentences(source: str) -> Sentences:
    """Subtask -> its sentences, for all 34.

    Raises MissingAsset, or InvalidFile naming what is wrong with a file of one's own.
    """
    if source == OFFICIAL:
        return _read(locate("calvin", "annotations") / "new_playtable_validation.yaml")
    return _read(Path(source).expanduser())


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


def _read(path: Path) -> Sentences:
    fix = "Write `subtask: [sentence, ...]` for each of the 34 subtasks."
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidFile(f"Annotations {path} cannot be read: {error}", fix) from error
    if not isinstance(content, dict):
        raise InvalidFile(f"Annotations {path} hold no subtasks.", fix)
    for task in content:
        if task not in TASKS:
            raise UnknownName(f"CALVIN subtask (in {path})", str(task), TASKS)
    for task in TASKS:
        found = content.get(task)
        if (
            not isinstance(found, list)
            or not found
            or not all(isinstance(s, str) and s.strip() for s in found)
        ):
            raise InvalidFile(f"Annotations {path}: '{task}' has no list of sentences.", fix)
    return content


def _count(arguments: Mapping[str, JSON]) -> int:
    unknown = sorted(set(arguments) - {"count"})
    if unknown:
        raise UnknownName("episode argument of calvin", unknown[0], ["count"])
    count = arguments.get("count", len(sequences()))
    if isinstance(count, bool) or not isinstance(count, int):
        raise OutOfRange(f"count {count} of a CALVIN suite is not a whole number.")
    if not 1 <= count <= len(sequences()):
        raise OutOfRange(f"count {count} is outside 1..{len(sequences())}.")
    return count
