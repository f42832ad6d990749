"""Tiny data sets in the true layouts of LIBERO, CALVIN and LeRobot, written by their own rules.

Every picture's colour tells its episode and step, so a reader that takes the wrong one is seen.
"""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path

import av
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

FPS = 10


def colour(episode: int, step: int) -> tuple[int, int, int]:
    return 20 + 60 * episode, 12 * step, 128


def frame(episode: int, step: int, size: int = 64) -> np.ndarray:
    """One colour, with a white stripe at the top: what is upside down is seen."""
    picture = np.full((size, size, 3), colour(episode, step), np.uint8)
    picture[: size // 8] = 255
    return picture


def shown(picture: np.ndarray) -> tuple[int, int, int]:
    """The colour in the middle, for `colour`."""
    return tuple(int(v) for v in picture[picture.shape[0] // 2, picture.shape[1] // 2])


def actions(episode: int, length: int) -> np.ndarray:
    """(length, 7): the first number says the step, the second the episode."""
    made = np.zeros((length, 7), np.float32)
    made[:, 0] = np.arange(length) / 100
    made[:, 1] = episode / 10
    made[:, 6] = np.where(np.arange(length) < length // 2, 1.0, -1.0)
    return made


def states(episode: int, length: int, size: int) -> np.ndarray:
    """(length, size): number k of a step is its step and k hundredths."""
    return np.arange(length)[:, None] + episode / 1000 + np.arange(size) / 100


def libero(path: Path, lengths=(5, 7), text="open the top drawer") -> Path:
    """As LIBERO's files are: pictures upside down, the language in a JSON attribute."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["problem_info"] = json.dumps(
            {"problem_name": "libero_tabletop", "language_instruction": text}
        )
        data.attrs["num_demos"] = len(lengths)
        for episode, length in enumerate(lengths):
            demo = data.create_group(f"demo_{episode}")
            demo.create_dataset("actions", data=actions(episode, length).astype(np.float64))
            pictures = np.stack([frame(episode, s)[::-1] for s in range(length)])
            demo.create_dataset("obs/agentview_rgb", data=pictures)
            demo.create_dataset("obs/eye_in_hand_rgb", data=pictures)
            told = states(episode, length, 15)
            for name, part in (
                ("ee_pos", slice(0, 3)), ("ee_ori", slice(3, 6)), ("ee_states", slice(0, 6)),
                ("joint_states", slice(6, 13)), ("gripper_states", slice(13, 15)),
            ):  # fmt: skip
                demo.create_dataset(f"obs/{name}", data=told[:, part])
            demo.attrs["num_samples"] = length
    return path


def calvin(folder: Path, spans=((3, 8), (6, 11)), texts=("push the red block", "turn it on")):
    """As `task_ABC_D` is: a file a step, annotated stretches that may overlap."""
    training = folder / "training"
    (training / "lang_annotations").mkdir(parents=True)
    for step in range(12):
        np.savez(
            training / f"episode_{step:07d}.npz",
            rel_actions=actions(0, 12)[step].astype(np.float64),
            actions=np.zeros(7),
            robot_obs=states(0, 12, 15)[step],
            scene_obs=np.zeros(24),
            rgb_static=frame(0, step, 200),
            rgb_gripper=frame(1, step, 84),
        )
    annotations = {
        "language": {"ann": list(texts), "task": ["a", "b"], "emb": np.zeros((2, 1, 384))},
        "info": {"episodes": [], "indx": list(spans)},
    }
    np.save(training / "lang_annotations" / "auto_lang_ann.npy", annotations, allow_pickle=True)
    return folder


def _features(dtype: str, size: int = 64) -> dict:
    return {
        "observation.images.top": {"dtype": dtype, "shape": [size, size, 3]},
        "action": {"dtype": "float32", "shape": [7], "names": None},
        "observation.state": {"dtype": "float32", "shape": [8], "names": None},
    }


def _rows(episodes: list[tuple[int, int]], start: int = 0) -> dict:
    """The columns of these (episode, length) in one table."""
    parts = [(e, s) for e, length in episodes for s in range(length)]
    stacked = np.concatenate([actions(e, length) for e, length in episodes])
    return {
        "action": pa.array(list(stacked), pa.list_(pa.float32())),
        "observation.state": pa.array(
            [row for e, length in episodes for row in states(e, length, 8)], pa.list_(pa.float32())
        ),
        "timestamp": pa.array([s / FPS for _, s in parts], pa.float32()),
        "frame_index": pa.array([s for _, s in parts]),
        "episode_index": pa.array([e for e, _ in parts]),
        "index": pa.array([start + i for i in range(len(parts))]),
        "task_index": pa.array([e % 2 for e, _ in parts]),
    }


def film(path: Path, frames: list[np.ndarray]) -> None:
    """H.264 as LeRobot encodes it: yuv420p, a key frame every other frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(FPS), options={"g": "2", "crf": "10"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def lerobot_v2(folder: Path, lengths=(5, 7), filmed: bool = True) -> Path:
    (folder / "meta").mkdir(parents=True)
    info = {
        "codebase_version": "v2.1",
        "fps": FPS,
        "chunks_size": 1000,
        "total_episodes": len(lengths),
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/"
        "episode_{episode_index:06d}.mp4",
        "features": _features("video" if filmed else "image"),
    }
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    lines = [
        json.dumps({"episode_index": e, "tasks": [f"task {e % 2}"], "length": n})
        for e, n in enumerate(lengths)
    ]
    (folder / "meta" / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "meta" / "tasks.jsonl").write_text(
        "".join(json.dumps({"task_index": i, "task": f"task {i}"}) + "\n" for i in range(2))
    )
    for e, length in enumerate(lengths):
        frames = [frame(e, s) for s in range(length)]
        columns = _rows([(e, length)])
        if filmed:
            key = "observation.images.top"
            film(folder / "videos" / "chunk-000" / key / f"episode_{e:06d}.mp4", frames)
        else:
            columns["observation.images.top"] = pa.array(
                [{"bytes": _png(f), "path": None} for f in frames]
            )
        path = folder / "data" / "chunk-000" / f"episode_{e:06d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)
    return folder


def lerobot_v3(folder: Path, lengths=(5, 7, 4)) -> Path:
    """The first two episodes share a data file and a film, the third has its own."""
    (folder / "meta" / "episodes" / "chunk-000").mkdir(parents=True)
    key = "observation.images.top"
    info = {
        "codebase_version": "v3.0",
        "fps": FPS,
        "total_episodes": len(lengths),
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": _features("video"),
    }
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    tasks = pa.table({"task_index": [0, 1], "__index_level_0__": ["task 0", "task 1"]})
    pq.write_table(tasks, folder / "meta" / "tasks.parquet")
    rows, start = [], 0
    for e, length in enumerate(lengths):
        file = 0 if e < 2 else 1
        rows.append(
            {
                "episode_index": e,
                "length": length,
                "tasks": [f"task {e % 2}"],
                "data/chunk_index": 0,
                "data/file_index": file,
                "dataset_from_index": start,
                "dataset_to_index": start + length,
                f"videos/{key}/chunk_index": 0,
                f"videos/{key}/file_index": file,
                f"videos/{key}/from_timestamp": lengths[0] / FPS if e == 1 else 0.0,
                f"videos/{key}/to_timestamp": 0.0,
                "stats/action/count": [length],
            }
        )
        start += length
    pq.write_table(
        pa.Table.from_pylist(rows), folder / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    )
    for file, members in ((0, [0, 1]), (1, [2])):
        path = folder / "data" / "chunk-000" / f"file-{file:03d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        first = rows[members[0]]["dataset_from_index"]
        pq.write_table(pa.table(_rows([(e, lengths[e]) for e in members], first)), path)
        film(
            folder / "videos" / key / "chunk-000" / f"file-{file:03d}.mp4",
            [frame(e, s) for e in members for s in range(lengths[e])],
        )
    return folder
