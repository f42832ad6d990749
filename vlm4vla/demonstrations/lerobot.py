"""LeRobot data sets as files, v2.0 to v3.0, and those that `bench demos` writes.

v2: a Parquet file and, per camera, an mp4 for each episode; v3: many episodes in each file, which
`meta/episodes/` lists. Pictures are PNG or JPEG bytes in the Parquet file, or frames of the mp4.
Layout: huggingface/lerobot, `lerobot/datasets`. Nothing is fetched and LeRobot is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core import conventions
from vlm4vla.core.errors import BadInput, InvalidFile
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.core.specs import ActionSpec
from vlm4vla.demonstrations.ours import OURS, json_object, origin
from vlm4vla.demonstrations.pictures import decode, read_frame
from vlm4vla.demonstrations.samples import Demonstrations

ACTION, IMAGES, INFO = "action", "observation.images.", "meta/info.json"


@dataclass(frozen=True)
class _Video:
    path: Path
    start_s: float
    """Where the episode begins in the file."""


@dataclass(frozen=True)
class _Piece:
    """Where one episode lies."""

    index: int
    length: int
    table: Path
    first_row: int | None
    """Row of its first step in the file; None: the whole file is this episode."""
    videos: Mapping[str, _Video]


class LeRobotTrajectory:
    """A stretch of an episode under one instruction; actions in memory, pictures on disk."""

    def __init__(
        self,
        folder: Path,
        piece: _Piece,
        first: int,
        actions: NDArray[np.float32],
        text: str,
        pictured: Sequence[int],
        fps: float,
    ) -> None:
        """`first`: the episode's step with which the stretch begins. Nothing is opened yet."""
        self.key = f"{folder} episode {piece.index}" + (f" from step {first}" if first else "")
        self.length = len(actions)
        self.pictured = pictured
        self._piece, self._first, self._fps = piece, first, fps
        self._actions, self._text = actions, text

    def instruction(self, step: int) -> str:
        """The stretch's task."""
        return self._text

    def actions(self, start: int, stop: int) -> Floats:
        """Rows `start` to `stop`."""
        return self._actions[start:stop].astype(np.float64)

    def image(self, step: int, camera: str) -> Frames:
        """From the Parquet file, or the nearest frame of the video."""
        step += self._first
        video = self._piece.videos.get(camera)
        if video is not None:
            return read_frame(video.path, video.start_s + step / self._fps)
        row = (self._piece.first_row or 0) + step
        return decode(_cell(self._piece.table, f"{IMAGES}{camera}", row), self.key)


def load(folder: Path, named: ActionSpec | None) -> Demonstrations:
    """Read the metadata and every action of the set.

    Args:
        folder: the one that holds `meta/` and `data/`.
        named: the action convention; only what `bench demos` wrote states its own.

    Raises:
        BadInput: it is not such a set, is of another version, or its convention is not known.
    """
    info = json_object(folder / INFO)
    ours = origin(folder)
    action = _convention(folder, ours, named)
    version = str(info.get("codebase_version", "?"))
    if not version.startswith(("v2.", "v3.")):
        raise InvalidFile(f"{folder} is LeRobot {version}; v2.0 to v3.0 can be read.")
    features: Mapping[str, Any] = info["features"]
    cameras = tuple(n.removeprefix(IMAGES) for n in features if n.startswith(IMAGES))
    width = features.get(ACTION, {}).get("shape", [0])[0]
    if width != action.size:
        raise InvalidFile(
            f"{folder}: its actions have {width} numbers, the convention says {action.size}.",
            "Choose another --convention.",
        )
    filmed = [c for c in cameras if features[f"{IMAGES}{c}"]["dtype"] == "video"]
    pieces = (_pieces_v2 if version.startswith("v2.") else _pieces_v3)(folder, info, filmed)
    tasks = _tasks(folder)
    shown = [c for c in cameras if c not in filmed]
    fps = float(info["fps"])
    return Demonstrations(
        name=str(folder),
        action=action,
        cameras=cameras,
        trajectories=_read(folder, pieces, tasks, shown, fps),
        recipe=_recipe(ours),
        robot=str(info.get("robot_type") or ""),
    )


def is_one(folder: Path) -> bool:
    """Whether the folder looks like a LeRobot data set."""
    return (folder / INFO).is_file()


def _read(
    folder: Path,
    pieces: Sequence[_Piece],
    tasks: Mapping[int, str],
    shown: Sequence[str],
    fps: float,
) -> list[LeRobotTrajectory]:
    """Everything but the pictures; each Parquet file is read once."""
    import pyarrow.parquet as pq

    found, table, loaded = [], None, None
    for piece in pieces:
        if piece.table != loaded:
            try:
                columns = [ACTION, "task_index"]
                file = pq.ParquetFile(piece.table)
                table = file.read(columns=columns)
                presence = {c: _present(file, f"{IMAGES}{c}") for c in shown[:1]}
            except (OSError, ValueError, KeyError) as error:
                raise InvalidFile(f"{piece.table} cannot be read: {error}.") from error
            loaded = piece.table
        assert table is not None
        rows = table.slice(piece.first_row or 0, piece.length)
        if len(rows) != piece.length:
            raise InvalidFile(
                f"{piece.table} holds {len(rows)} steps of episode {piece.index}, "
                f"the metadata says {piece.length}."
            )
        actions = np.stack(rows[ACTION].to_numpy()).astype(np.float32)
        numbers = rows["task_index"].to_numpy()
        seen = np.ones(piece.length, bool)
        for there in presence.values():
            seen &= there[(piece.first_row or 0) :][: piece.length]
        # A chunk must not reach into the next instruction, so each begins a trajectory.
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), piece.length]
        for first, end in pairwise(edges):
            pictured = [int(step) for step in np.flatnonzero(seen[first:end])]
            text = tasks[int(numbers[first])]
            found.append(
                LeRobotTrajectory(folder, piece, first, actions[first:end], text, pictured, fps)
            )
    return found


def _present(file: Any, column: str) -> Any:
    """Which rows have a picture: `bench demos` renders only some."""
    import pyarrow.compute as pc

    return pc.is_valid(file.read(columns=[f"{column}.bytes"])[column]).to_numpy()


def _cell(path: Path, column: str, row: int) -> bytes:
    """One picture's bytes; of the file only the row group that holds it is read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if row < count:
                cell = file.read_row_group(group, columns=[column])[column][row].as_py()
                if cell["bytes"] is not None:
                    return bytes(cell["bytes"])
                raise InvalidFile(f"{path}: a picture lies in a file of its own ({cell['path']}).")
            row -= count
    raise InvalidFile(f"{path} has no row {row}.")


def _pieces_v2(folder: Path, info: Mapping[str, Any], filmed: Sequence[str]) -> list[_Piece]:
    rows = _json_lines(folder / "meta" / "episodes.jsonl")
    pieces = []
    for row in rows:
        index = int(row["episode_index"])
        names = {"episode_index": index, "episode_chunk": index // int(info["chunks_size"])}
        videos = {
            c: _Video(folder / info["video_path"].format(video_key=f"{IMAGES}{c}", **names), 0.0)
            for c in filmed
        }
        table = folder / info["data_path"].format(**names)
        pieces.append(_Piece(index, int(row["length"]), table, None, videos))
    return pieces


def _pieces_v3(folder: Path, info: Mapping[str, Any], filmed: Sequence[str]) -> list[_Piece]:
    import pyarrow.parquet as pq

    files = sorted((folder / "meta" / "episodes").glob("*/*.parquet"))
    if not files:
        raise InvalidFile(f"{folder} has no meta/episodes/*/*.parquet.")
    pieces: list[_Piece] = []
    begins: dict[tuple[int, int], int] = {}  # data file -> global index of its first row
    for file in files:
        rows = [
            {k: v for k, v in row.items() if not k.startswith("stats/")}
            for row in pq.read_table(file).to_pylist()
        ]
        for row in rows:
            place = int(row["data/chunk_index"]), int(row["data/file_index"])
            start = int(row["dataset_from_index"])
            first = begins.setdefault(place, start)
            path = info["data_path"].format(chunk_index=place[0], file_index=place[1])
            videos = {c: _video_v3(folder, info, row, f"{IMAGES}{c}") for c in filmed}
            pieces.append(
                _Piece(
                    int(row["episode_index"]),
                    int(row["length"]),
                    folder / path,
                    start - first,
                    videos,
                )
            )
    return pieces


def _video_v3(folder: Path, info: Mapping[str, Any], row: Mapping[str, Any], key: str) -> _Video:
    path = info["video_path"].format(
        video_key=key,
        chunk_index=row[f"videos/{key}/chunk_index"],
        file_index=row[f"videos/{key}/file_index"],
    )
    return _Video(folder / path, float(row[f"videos/{key}/from_timestamp"]))


def _tasks(folder: Path) -> dict[int, str]:
    """task_index -> text, from v2's JSON lines or v3's Parquet file (the text is its index)."""
    lines = folder / "meta" / "tasks.jsonl"
    if lines.is_file():
        return {int(row["task_index"]): str(row["task"]) for row in _json_lines(lines)}
    path = folder / "meta" / "tasks.parquet"
    if not path.is_file():
        raise InvalidFile(f"{folder} has neither meta/tasks.jsonl nor meta/tasks.parquet.")
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pylist()
    return {
        int(row["task_index"]): str(row.get("task", row.get("__index_level_0__"))) for row in rows
    }


def _recipe(ours: Mapping[str, Any] | None) -> str:
    """What `bench demos` recorded tells its simulator; other sets may be of anything."""
    if ours is None:
        return ""
    return "calvin" if ours.get("comparability", {}).get("simulator") == "calvin" else "emoji"


def _convention(
    folder: Path, ours: Mapping[str, Any] | None, named: ActionSpec | None
) -> ActionSpec:
    if ours is not None:
        return conventions.from_json(ours.get("action"), str(folder / OURS))
    if named is None:
        raise BadInput(
            f"{folder} does not say what its actions mean (frame, units, gripper sign).",
            "Say it: --convention calvin, libero, bridge or fractal.",
        )
    return named


def _json_lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from error
