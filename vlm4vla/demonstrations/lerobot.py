"""LeRobot data sets as files, v2.0 to v3.0, and those that `bench demos` writes.

v2: a Parquet file and, per camera, an mp4 for each episode; v3: many episodes in each file, which
`meta/episodes/` lists. Pictures are PNG or JPEG bytes in the Parquet file, or frames of the mp4.
Layout: huggingface/lerobot, `lerobot/datasets`. Nothing is fetched and LeRobot is not needed.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core import conventions
from vlm4vla.core.errors import BadInput, InvalidFile, MissingDependency
from vlm4vla.core.formats import read_fields
from vlm4vla.core.simulator import Floats, Frames
from vlm4vla.core.specs import ActionSpec, ProprioPart
from vlm4vla.demonstrations.ours import OURS, json_object, origin
from vlm4vla.demonstrations.samples import Demonstrations, Trajectory

if TYPE_CHECKING:
    from av.container import InputContainer

ACTION, IMAGES, STATE = "action", "observation.images.", "observation.state"
INFO = "meta/info.json"
_OPEN_FILMS = 8


@dataclass(frozen=True)
class _Piece:
    """Where one episode lies."""

    index: int
    length: int
    table: Path
    first_row: int
    """Row of its first step in that file."""
    videos: Mapping[str, tuple[Path, float]]
    """Camera -> film, and the second at which the episode begins in it."""


@dataclass(frozen=True, eq=False)
class LeRobotTrajectory(Trajectory):
    """A stretch of an episode under one instruction; numbers in memory, pictures on disk."""

    where: str
    """For messages."""
    piece: _Piece
    first: int
    """The episode's step with which the stretch begins."""
    rows: NDArray[np.float32]
    """(length, A)."""
    states: NDArray[np.float32]
    """(length, P); P is 0 where the proprioception is not read."""
    fps: float

    def actions(self, start: int, stop: int) -> Floats:
        """Rows `start` to `stop`."""
        return self.rows[start:stop].astype(np.float64)

    def proprio(self, step: int) -> Floats:
        """The step's row."""
        return np.asarray(self.states[step], np.float64)

    def image(self, step: int, camera: str) -> Frames:
        """From the Parquet file, or the nearest frame of the video."""
        step += self.first
        if camera in self.piece.videos:
            film, begins = self.piece.videos[camera]
            return _frame(film, begins + step / self.fps)
        row = self.piece.first_row + step
        return _decode(_cell(self.piece.table, f"{IMAGES}{camera}", row), self.where)


def load(
    folder: Path, named: ActionSpec | None, proprio: tuple[ProprioPart, ...] = ()
) -> Demonstrations:
    """Read the metadata and every action of the set.

    Args:
        folder: the one that holds `meta/` and `data/`.
        named: the action convention; only what `bench demos` wrote states its own.
        proprio: what `observation.state` holds, likewise; it is not read where its size differs.

    Raises:
        BadInput: it is not such a set, is of another version, or its convention is not known.
    """
    info = json_object(folder / INFO)
    recorded, recipe, action = origin(folder), "", named
    if recorded is not None:
        action = conventions.from_json(recorded.get("action"), str(folder / OURS))
        parts = recorded.get("proprio", ())
        proprio = tuple(read_fields(ProprioPart, part, folder / OURS) for part in parts)
        simulator = recorded.get("comparability", {}).get("simulator")
        recipe = "calvin" if simulator == "calvin" else "emoji"
    if action is None:
        raise BadInput(
            f"{folder} does not say what its actions mean (frame, units, gripper sign).",
            "Say it: --convention calvin, libero, bridge or fractal.",
        )
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
    if features.get(STATE, {}).get("shape") != [sum(part.size for part in proprio)]:
        proprio = ()
    filmed = [c for c in cameras if features[f"{IMAGES}{c}"]["dtype"] == "video"]
    shown = [f"{IMAGES}{c}" for c in cameras if c not in filmed]
    tasks, fps = _tasks(folder), float(info["fps"])
    trajectories: list[LeRobotTrajectory] = []
    for path, pieces in groupby(_pieces(folder, info, filmed), lambda piece: piece.table):
        table, pictured = _table(path, shown, bool(proprio))
        for piece in pieces:
            trajectories += _stretches(folder, piece, table, pictured, tasks, fps)
    return Demonstrations(
        name=str(folder),
        action=action,
        cameras=cameras,
        trajectories=trajectories,
        recipe=recipe,
        robot=str(info.get("robot_type") or ""),
        proprio=proprio,
    )


def _table(path: Path, shown: Sequence[str], told: bool) -> tuple[Any, NDArray[np.bool_]]:
    """Everything in a Parquet file but the pictures, and which of its rows have one.

    `bench demos` renders only some, the same of all cameras.
    """
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        table = file.read(columns=[ACTION, "task_index", *[STATE] * told])
        pictured = np.ones(len(table), bool)
        for column in shown[:1]:
            pictured = file.read(columns=[f"{column}.bytes"])[column].is_valid().to_numpy()
    except (OSError, ValueError, KeyError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from error
    return table, pictured


def _stretches(
    folder: Path,
    piece: _Piece,
    table: Any,
    pictured: NDArray[np.bool_],
    tasks: Mapping[int, str],
    fps: float,
) -> Iterator[LeRobotTrajectory]:
    """The episode by its instructions: a chunk must not reach into the next one."""
    rows = table.slice(piece.first_row, piece.length)
    if len(rows) != piece.length:
        raise InvalidFile(
            f"{piece.table} holds {len(rows)} steps of episode {piece.index}, "
            f"the metadata says {piece.length}."
        )
    actions = np.stack(rows[ACTION].to_numpy()).astype(np.float32)
    states = _states(rows[STATE]) if STATE in rows.column_names else actions[:, :0]
    numbers = rows["task_index"].to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), piece.length]
    for first, end in pairwise(edges):
        where = f"{folder} episode {piece.index}" + (f" from step {first}" if first else "")
        seen = np.flatnonzero(pictured[piece.first_row :][first:end]).tolist()
        text = tasks[int(numbers[first])]
        yield LeRobotTrajectory(
            text, end - first, seen, where, piece, first, actions[first:end], states[first:end], fps
        )


def _states(column: Any) -> NDArray[np.float32]:
    """(T, P); NaN where a row has none, as have those that `bench demos` does not draw."""
    cells = column.to_pylist()
    size = max((len(cell) for cell in cells if cell is not None), default=0)
    return np.array([[math.nan] * size if cell is None else cell for cell in cells], np.float32)


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


def _pieces(folder: Path, info: Mapping[str, Any], filmed: Sequence[str]) -> list[_Piece]:
    """Where each episode lies, in the order in which the metadata lists them."""
    pieces: list[_Piece] = []
    begins: dict[Path, int] = {}  # data file -> global index of its first row
    for row in _episodes(folder, info):
        table = folder / info["data_path"].format(**_place(info, row, "data"))
        start = int(row.get("dataset_from_index", 0))
        first = begins.setdefault(table, start)
        videos = {}
        for camera in filmed:
            key = f"{IMAGES}{camera}"
            place = _place(info, row, f"videos/{key}")
            film = folder / info["video_path"].format(video_key=key, **place)
            videos[camera] = film, float(row.get(f"videos/{key}/from_timestamp", 0.0))
        index, length = int(row["episode_index"]), int(row["length"])
        pieces.append(_Piece(index, length, table, start - first, videos))
    return pieces


def _episodes(folder: Path, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row of metadata for each: v2's JSON lines, or v3's Parquet files."""
    if info["codebase_version"].startswith("v2."):
        return _json_lines(folder / "meta" / "episodes.jsonl")
    import pyarrow.parquet as pq

    files = sorted((folder / "meta" / "episodes").glob("*/*.parquet"))
    if not files:
        raise InvalidFile(f"{folder} has no meta/episodes/*/*.parquet.")
    tables = [pq.read_table(file) for file in files]
    return [
        row
        for table in tables
        for row in table.select(
            [name for name in table.column_names if not name.startswith("stats/")]
        ).to_pylist()
    ]


def _place(info: Mapping[str, Any], row: Mapping[str, Any], key: str) -> dict[str, int]:
    """What the file of `key` (`data`, `videos/CAMERA`) is numbered by: v2 has one an episode."""
    if info["codebase_version"].startswith("v2."):
        index = int(row["episode_index"])
        return {"episode_index": index, "episode_chunk": index // int(info["chunks_size"])}
    return {name: int(row[f"{key}/{name}"]) for name in ("chunk_index", "file_index")}


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


def _json_lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InvalidFile(f"{path} cannot be read: {error}.") from error


def _decode(data: bytes, source: str) -> Frames:
    """(H, W, 3) uint8 RGB of PNG or JPEG bytes. Raises InvalidFile."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise InvalidFile(f"{source}: a picture cannot be read: {error}.") from error


def _frame(path: Path, seconds: float) -> Frames:
    """(H, W, 3) uint8 RGB: the frame of the film shown nearest to `seconds`. Raises InvalidFile."""
    try:
        import av
    except ImportError as error:
        raise MissingDependency(
            f"{path} is a film; PyAV reads it.", 'pip install "vlm4vla[video]"'
        ) from error
    try:
        film = _film(path)
        stream = film.streams.video[0]
        assert stream.time_base is not None
        film.seek(max(0, int(seconds / stream.time_base)), stream=stream)
        best, distance = None, float("inf")
        for frame in film.decode(stream):
            if frame.time is None:
                continue
            if abs(frame.time - seconds) < distance:
                best, distance = frame, abs(frame.time - seconds)
            if frame.time >= seconds:
                break
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise InvalidFile(f"{path} cannot be read as a film: {error}.") from error
    if best is None or distance > 0.5:
        raise InvalidFile(f"{path} has no frame at {seconds:.3f} s.")
    return np.asarray(best.to_ndarray(format="rgb24"), np.uint8)


@lru_cache(maxsize=_OPEN_FILMS)
def _film(path: Path) -> InputContainer:
    """Films stay open: finding the next sample in one costs a seek, not an opening."""
    import av

    film: InputContainer = av.open(str(path))
    return film
