"""Episodes written as a LeRobot v2.1 data set: Parquet with pictures inside, metadata as JSON.

One Parquet file an episode, one row a step. The pictures of a camera are the column
`observation.images.CAMERA` of `{bytes, path}` with PNG bytes, null at the steps that were not
rendered, and so is `observation.state`; every action is there, for an action chunk needs those
between the pictures too.
`meta/vlm4vla.json` adds what LeRobot has no words for: the action convention and the provenance.

Layout: huggingface/lerobot, `lerobot/datasets` at v2.1.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from vlm4vla.core import conventions
from vlm4vla.core.episode import JSON, EpisodeKey
from vlm4vla.core.files import write_whole
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.core.rotation import SIZES
from vlm4vla.core.specs import ActionSpec
from vlm4vla.demonstrations.lerobot import ACTION, IMAGES, INFO, STATE
from vlm4vla.demonstrations.ours import OURS, written

_CHUNK = 1000
_DATA = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"


@dataclass(frozen=True)
class Written:
    """An episode on disk."""

    key: str
    length: int
    pictures: int
    tasks: Sequence[str]
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


@dataclass(frozen=True)
class LeRobotWriter:
    """One set, under what holds for all its episodes."""

    folder: Path
    action: ActionSpec
    cameras: Mapping[str, tuple[int, int]]
    """Name -> (height, width) in pixels."""
    robot: str
    facts: Mapping[str, JSON]
    """What decides the pictures, kept as it is in `meta/vlm4vla.json`."""
    starts: Sequence[int]
    """Steps of all episodes before each."""

    @property
    def fps(self) -> float:
        """Steps a second."""
        return self.action.control_hz or 10.0

    @property
    def _state_size(self) -> int:
        """Numbers of the proprioception that are kept."""
        parts = cast(Sequence[Mapping[str, int]], self.facts.get("proprio", ()))
        return sum(part["size"] for part in parts)

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()

    def _mark(self, index: int) -> str:
        """What an episode was made under: one with another mark is made anew."""
        return f"{self._digest} {self.starts[index]}"

    def _path(self, index: int) -> Path:
        return self.folder / _DATA.format(episode_chunk=index // _CHUNK, episode_index=index)

    def write(
        self,
        index: int,
        played: EpisodeResult,
        instructions: Sequence[tuple[int, str]],
        images: Mapping[str, Mapping[int, bytes]],
        states: Mapping[int, Sequence[float]],
        tasks: Tasks,
    ) -> None:
        """Write the file of episode `index` in one piece: it is there entirely or not at all.

        Args:
            index: its place in the set.
            played: its actions (T, A), in the set's convention.
            instructions: (step, text): the text holds from that step on; the first step is 0.
            images: camera -> step -> PNG bytes.
            states: step -> proprioception (P,).
            tasks: those of the set.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        steps = np.arange(len(played.actions))
        texts = [[text for since, text in instructions if since <= step][-1] for step in steps]
        picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        columns: dict[str, Any] = {
            f"{IMAGES}{camera}": pa.array(
                [{"bytes": shown[s], "path": None} if s in shown else None for s in steps.tolist()],
                picture,
            )
            for camera, shown in images.items()
        }
        columns[ACTION] = pa.FixedSizeListArray.from_arrays(
            pa.array(played.actions.astype(np.float32).reshape(-1)), played.actions.shape[1]
        )
        if self._state_size:
            kind = pa.list_(pa.float32(), self._state_size)
            columns[STATE] = pa.array([states.get(step) for step in steps.tolist()], kind)
        columns |= {
            "timestamp": pa.array((steps / self.fps).astype(np.float32)),
            "frame_index": pa.array(steps),
            "episode_index": pa.array(np.full(len(steps), index)),
            "index": pa.array(steps + self.starts[index]),
            "task_index": pa.array([tasks.index(text) for text in texts]),
        }
        about = {
            "key": str(played.key),
            "mark": self._mark(index),
            "tasks": list(dict.fromkeys(texts)),
            "success": played.outcome is Outcome.SUCCESS,
            "pictures": max((len(shown) for shown in images.values()), default=0),
            "stats": {
                name: getattr(np, name)(played.actions, axis=0).tolist()
                for name in ("min", "max", "mean", "std")
            },
        }
        table = pa.table(columns).replace_schema_metadata({"vlm4vla": json.dumps(about)})
        path = self._path(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.part")
        pq.write_table(table, draft)
        draft.replace(path)

    def read_back(self, index: int, key: EpisodeKey) -> Written | None:
        """The episode if it is on disk, of that key, at that place and under those facts."""
        import pyarrow.parquet as pq

        if not self._path(index).is_file():
            return None
        meta = pq.read_metadata(self._path(index))
        about = json.loads((meta.metadata or {}).get(b"vlm4vla", b"{}"))
        if about.get("key") != str(key) or about.pop("mark", None) != self._mark(index):
            return None
        return Written(length=meta.num_rows, **about)

    def finish(self, episodes: Sequence[Written], tasks: Tasks, provenance: JSON) -> None:
        """Everything under `meta/`; `info.json`, by which readers know the set, comes last."""
        self._lines(
            "episodes",
            [
                {"tasks": e.tasks, "length": e.length, "key": e.key, "success": e.success}
                for e in episodes
            ],
        )
        self._lines(
            "episodes_stats",
            [{"stats": {ACTION: {**e.stats, "count": [e.length]}}} for e in episodes],
        )
        own: dict[str, JSON] = {
            "action": conventions.to_json(self.action),
            "pictures": sum(e.pictures for e in episodes),
            **self.facts,
            "provenance": provenance,
        }
        write_whole(self.folder / OURS, written(own))
        info = {
            "codebase_version": "v2.1",
            "robot_type": self.robot,
            "total_episodes": len(episodes),
            "total_frames": sum(e.length for e in episodes),
            "total_tasks": len(tasks),
            "total_videos": 0,
            "total_chunks": -(-len(episodes) // _CHUNK),
            "chunks_size": _CHUNK,
            "fps": self.fps,
            "splits": {"train": f"0:{len(episodes)}"},
            "data_path": _DATA,
            "video_path": None,
            "features": self._features(),
        }
        write_whole(self.folder / INFO, json.dumps(info, indent=1) + "\n")

    def _lines(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """A line for each episode."""
        lines = (json.dumps({"episode_index": i, **row}) + "\n" for i, row in enumerate(rows))
        write_whole(self.folder / "meta" / f"{name}.jsonl", "".join(lines))

    def _features(self) -> JSON:
        rotation = [f"rotation_{i}" for i in range(SIZES[self.action.rotation])]
        axes = ["x", "y", "z", *rotation, *(["gripper"] if self.action.gripper else [])]
        sides = ["height", "width", "channels"]
        features: dict[str, JSON] = {
            f"{IMAGES}{camera}": {"dtype": "image", "shape": [*size, 3], "names": sides}
            for camera, size in self.cameras.items()
        }
        features[ACTION] = {"dtype": "float32", "shape": [self.action.size], "names": axes}
        if size := self._state_size:
            features[STATE] = {"dtype": "float32", "shape": [size], "names": None}
        features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        for name in ("frame_index", "episode_index", "index", "task_index"):
            features[name] = {"dtype": "int64", "shape": [1], "names": None}
        return features
