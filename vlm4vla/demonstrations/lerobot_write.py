"""Episodes written as a LeRobot v2.1 data set: Parquet with pictures inside, metadata as JSON.

One Parquet file an episode, one row a step. The pictures of a camera are the column
`observation.images.CAMERA` of `{bytes, path}` with PNG bytes, null at the steps that were not
rendered; every action is there, for an action chunk needs those between the pictures too.
`meta/vlm4vla.json` adds what LeRobot has no words for: the action convention and the provenance.

Layout: huggingface/lerobot, `lerobot/datasets` at v2.1.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlm4vla.core import conventions
from vlm4vla.core.episode import JSON
from vlm4vla.core.files import write_whole
from vlm4vla.core.rotation import SIZES
from vlm4vla.core.simulator import Floats
from vlm4vla.core.specs import ActionSpec
from vlm4vla.demonstrations.lerobot import ACTION, IMAGES, INFO
from vlm4vla.demonstrations.ours import OURS, written

VERSION = "v2.1"
CHUNK = 1000
DATA = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"


@dataclass(frozen=True)
class Header:
    """What holds for every episode of the set."""

    action: ActionSpec
    cameras: Mapping[str, tuple[int, int]]
    """Name -> (height, width) in pixels."""
    fps: float
    robot: str
    facts: Mapping[str, JSON]
    """Settings and provenance, kept as they are in `meta/vlm4vla.json`."""


@dataclass(frozen=True)
class WrittenEpisode:
    """One episode in memory."""

    key: str
    start: int
    """Steps of all episodes before it."""
    actions: Floats
    """(T, A) in the header's convention."""
    instructions: Sequence[tuple[int, str]]
    """(step, text): the text holds from that step on; the first step is 0."""
    images: Mapping[str, Mapping[int, bytes]]
    """Camera -> step -> PNG bytes."""
    success: bool


@dataclass(frozen=True)
class Written:
    """An episode on disk."""

    key: str
    length: int
    pictures: int
    tasks: tuple[str, ...]
    success: bool
    stats: Mapping[str, Sequence[float]]
    """min, max, mean and std of the actions, per axis."""


class Tasks:
    """`meta/tasks.jsonl`: instruction -> index.

    Only ever appended to, so that the files of a killed writer stay right.
    """

    def __init__(self, folder: Path, expected: Iterable[str]) -> None:
        """Read what is there, then add `expected` in order."""
        self._path = folder / "meta" / "tasks.jsonl"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text().splitlines() if self._path.is_file() else []
        self._known = {json.loads(line)["task"]: i for i, line in enumerate(lines)}
        self._lock = threading.Lock()
        for text in expected:
            self.index(text)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    def index(self, text: str) -> int:
        """The instruction's number."""
        with self._lock:
            if text not in self._known:
                number = self._known[text] = len(self._known)
                with self._path.open("a") as file:
                    file.write(json.dumps({"task_index": number, "task": text}) + "\n")
            return self._known[text]


def path_of(folder: Path, index: int) -> Path:
    """The Parquet file of episode `index`."""
    return folder / DATA.format(episode_chunk=index // CHUNK, episode_index=index)


def write_episode(
    folder: Path, index: int, episode: WrittenEpisode, fps: float, tasks: Tasks, mark: str
) -> None:
    """Write the file of episode `index` in one piece: it is there entirely or not at all.

    `mark` names the settings it was made under; `read_back` returns nothing under another.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    steps = np.arange(len(episode.actions))
    texts = [_holding(episode.instructions, int(step)) for step in steps]
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns: dict[str, Any] = {
        f"{IMAGES}{camera}": pa.array(
            [{"bytes": shown[s], "path": None} if s in shown else None for s in steps.tolist()],
            picture,
        )
        for camera, shown in episode.images.items()
    }
    columns[ACTION] = pa.FixedSizeListArray.from_arrays(
        pa.array(episode.actions.astype(np.float32).reshape(-1)), episode.actions.shape[1]
    )
    columns |= {
        "timestamp": pa.array((steps / fps).astype(np.float32)),
        "frame_index": pa.array(steps),
        "episode_index": pa.array(np.full(len(steps), index)),
        "index": pa.array(steps + episode.start),
        "task_index": pa.array([tasks.index(text) for text in texts]),
    }
    about = {
        "key": episode.key,
        "mark": f"{mark} {episode.start}",
        "tasks": list(dict.fromkeys(texts)),
        "success": episode.success,
        "pictures": max((len(shown) for shown in episode.images.values()), default=0),
        "stats": {
            name: getattr(np, name)(episode.actions, axis=0).tolist()
            for name in ("min", "max", "mean", "std")
        },
    }
    table = pa.table(columns).replace_schema_metadata({"vlm4vla": json.dumps(about)})
    path = path_of(folder, index)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.part")
    pq.write_table(table, draft)
    draft.replace(path)


def read_back(folder: Path, index: int, key: str, start: int, mark: str) -> Written | None:
    """The episode if it is on disk, of that key, at that place and under those settings."""
    import pyarrow.parquet as pq

    path = path_of(folder, index)
    if not path.is_file():
        return None
    meta = pq.read_metadata(path)
    about = json.loads((meta.metadata or {}).get(b"vlm4vla", b"{}"))
    if about.get("key") != key or about.get("mark") != f"{mark} {start}":
        return None
    return Written(
        key, meta.num_rows, about["pictures"], tuple(about["tasks"]), about["success"],
        about["stats"],
    )  # fmt: skip


def write_metadata(folder: Path, header: Header, episodes: Sequence[Written], tasks: Tasks) -> None:
    """Everything under `meta/`; `info.json`, by which readers know the set, comes last."""
    _lines(
        folder / "meta" / "episodes.jsonl",
        (
            {"episode_index": i, "tasks": list(e.tasks), "length": e.length, "key": e.key,
             "success": e.success}
            for i, e in enumerate(episodes)
        ),
    )  # fmt: skip
    _lines(
        folder / "meta" / "episodes_stats.jsonl",
        (
            {"episode_index": i, "stats": {ACTION: {**e.stats, "count": [e.length]}}}
            for i, e in enumerate(episodes)
        ),
    )
    own = {
        "action": conventions.to_json(header.action),
        "pictures": sum(e.pictures for e in episodes),
        **header.facts,
    }
    write_whole(folder / OURS, written(own))
    total = sum(e.length for e in episodes)
    _whole(
        folder / INFO,
        {
            "codebase_version": VERSION,
            "robot_type": header.robot,
            "total_episodes": len(episodes),
            "total_frames": total,
            "total_tasks": len(tasks),
            "total_videos": 0,
            "total_chunks": -(-len(episodes) // CHUNK),
            "chunks_size": CHUNK,
            "fps": header.fps,
            "splits": {"train": f"0:{len(episodes)}"},
            "data_path": DATA,
            "video_path": None,
            "features": _features(header),
        },
    )


def _features(header: Header) -> JSON:
    features: dict[str, JSON] = {
        f"{IMAGES}{camera}": {
            "dtype": "image",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
        }
        for camera, (height, width) in header.cameras.items()
    }
    names = ["x", "y", "z", *(f"rotation_{i}" for i in range(SIZES[header.action.rotation]))]
    names += ["gripper"] if header.action.gripper else []
    features[ACTION] = {"dtype": "float32", "shape": [header.action.size], "names": names}
    for name, kind in (
        ("timestamp", "float32"),
        ("frame_index", "int64"),
        ("episode_index", "int64"),
        ("index", "int64"),
        ("task_index", "int64"),
    ):
        features[name] = {"dtype": kind, "shape": [1], "names": None}
    return features


def _holding(instructions: Sequence[tuple[int, str]], step: int) -> str:
    """The instruction in force at `step`."""
    return [text for since, text in instructions if since <= step][-1]


def _lines(path: Path, rows: Iterable[JSON]) -> None:
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))


def _whole(path: Path, value: JSON) -> None:
    write_whole(path, json.dumps(value, indent=1) + "\n")
