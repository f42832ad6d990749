"""`bench replay`: the stored episode again, its pictures, and raw lists of actions."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3

import numpy as np
import pytest
from PIL import Image

from tests.bench import bench as run
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store

TOY, EMOJI = "toy-expert", "grinningface_val-expert"
emoji_marks = (pytest.mark.grinningface,)
WORLDS = [
    pytest.param(TOY, "near/1", 256, id="toy"),
    pytest.param(EMOJI, "pick_place/1", 224, id="emoji", marks=emoji_marks),
]


def bench(*words, cwd, code=0, **environment):
    done = run(*words, cwd=cwd, **environment)
    assert done.code == code, done.out + done.err
    return done.err if code == 2 else done.out


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ray_session):
    """A folder with runs of the experts, none of which ever drew a picture."""
    folder = tmp_path_factory.mktemp("finished")
    with Store.open(folder / "results" / "bench.db", create=True) as store:
        requests = [RunRequest("expert", "toy", episodes=2)]
        with contextlib.suppress(ImportError):
            import sapien  # noqa: F401

            options = {"robot": "panda"}
            requests.append(RunRequest("expert", "grinningface_val", episodes=2, options=options))
        for request in requests:
            assert execute(resolve(request), store, lambda event: None).complete
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """The same, for a test of its own to spoil."""
    shutil.copytree(finished / "results", tmp_path / "results")
    return tmp_path


def stored(folder, run, episode):
    task, _, init = episode.partition("/")
    with Store.open(folder / "results" / "bench.db") as store:
        record = store.run(run)
        key = EpisodeKey(record.suite, task, int(init))
        row = next(row for row in store.episodes(record.id) if row.key == key)
        return row, store.actions(record.id, key)


def decoded(path):
    import av

    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


@pytest.mark.parametrize(("run", "episode", "size"), WORLDS)
def test_a_stored_episode_comes_out_the_same_drawn_or_not(finished, run, episode, size, tmp_path):
    row, _ = stored(finished, run, episode)
    pictures = ("--video", tmp_path / "v.mp4", "--sheet", tmp_path / "new" / "s.png")
    for more in ((), pictures):
        command = ("replay", run, "--episode", episode, *more)
        shown = json.loads(bench(*command, "--json", cwd=finished))
        assert shown["differences"] == [] and shown["changed"] == [] and shown["success"] is True
        assert (shown["steps"], shown["stages"]) == (row.steps, dict(row.stages))
        assert shown["measures"] == dict(row.measures) and shown["instruction"] == row.instruction
    frames = decoded(tmp_path / "v.mp4")
    assert len(frames) == row.steps + 1 and frames[0].shape == (size, size, 3)
    assert not np.array_equal(frames[0], frames[-1])
    with Image.open(tmp_path / "new" / "s.png") as sheet:
        rows_of_six = -(-min(18, row.steps) // 6)
        assert sheet.size == (6 * 166 + 6, 22 + 166 * rows_of_six + 6)


def test_in_words(finished):
    row, _ = stored(finished, TOY, "near/1")
    text = bench("replay", TOY, "--episode", "near/1", cwd=finished)
    assert text == f"toy/near/1: success after {row.steps} steps\nas stored\n"


@pytest.mark.parametrize(("run", "episode", "size"), WORLDS)
def test_a_raw_list_of_actions(finished, run, episode, size, tmp_path):
    row, actions = stored(finished, run, episode)
    np.save(tmp_path / "a.npy", actions)
    command = ["replay", "--suite", row.key.suite, "--task", row.key.task, "--init", row.key.init]
    command += ["--set", "robot=panda"] if run == EMOJI else []
    command += ["--actions", tmp_path / "a.npy"]
    shown = json.loads(bench(*command, "--json", cwd=tmp_path))
    assert (shown["success"], shown["steps"]) == (True, row.steps)
    assert shown["measures"] == dict(row.measures)
    np.save(tmp_path / "a.npy", actions[:-8])
    shown = json.loads(bench(*command, "--json", cwd=tmp_path))
    assert (shown["success"], shown["steps"]) == (False, row.steps - 8)
    assert not (tmp_path / "results").exists()


def test_a_tampered_trace_differs_and_ends_with_1(folder):
    with contextlib.closing(sqlite3.connect(folder / "results" / "bench.db")) as database:
        traces = database.execute(
            "select traces.episode, traces.actions from traces join episodes "
            "on episodes.id = traces.episode where suite = 'toy' and task = 'near' order by init"
        ).fetchall()
        (_, other), (mine, _) = traces
        swap = "update traces set actions = ?, steps = ? where episode = ?"
        count = len(stored(folder, TOY, "near/0")[1])
        database.execute(swap, (other, count, mine))
        database.commit()
    command = ("replay", TOY, "--episode", "near/1")
    text = bench(*command, cwd=folder, code=1)
    assert "differs: outcome: stored success, replayed failure" in text and "as stored" not in text
    shown = json.loads(bench(*command, "--json", cwd=folder, code=1))
    assert any(line.startswith("measures: ") for line in shown["differences"])


def test_what_changed_since_is_told(folder):
    with contextlib.closing(sqlite3.connect(folder / "results" / "bench.db")) as database:
        database.execute("update runs set comparability = replace(comparability, 'toy 1', 'toy 0')")
        database.commit()
    text = bench("replay", TOY, "--episode", "near/1", cwd=folder)
    assert "note: engine: toy 0 / toy 1" in text and "as stored" in text


def saved(folder, array):
    np.save(folder / "a.npy", array)
    return "a.npy"


STORED = ("replay", TOY)
LIST = ("replay", "--suite", "toy", "--task", "near", "--init", "0", "--actions")
MISTAKES = {
    "no episode": (STORED, "--episode TASK/INIT"),
    "episode's form": ((*STORED, "--episode", "near"), "is not TASK/INIT"),
    "no such init": ((*STORED, "--episode", "near/7"), "no episode near/7", "bench show"),
    "no such task": ((*STORED, "--episode", "nar/1"), "no episode nar/1", "bench show"),
    "which task": ((*STORED, "--episode", "1"), "--episode far/1 or near/1"),
    "no such run": (("replay", "toi-expert", "--episode", "near/1"), "Did you mean toy-expert"),
    "nothing": (("replay",), "bench replay RUN", "--actions FILE.npy"),
    "no init": (("replay", "--suite", "toy", "--actions", "a.npy"), "--init"),
    "several tasks": (
        ("replay", "--suite", "toy", "--init", "0", "--actions", "ok.npy"),
        "--task and --init",
    ),
    "init": (("replay", "--suite", "toy", "--init", "99", "--actions", "ok.npy"), "0 to 9"),
    "film's ending": ((*STORED, "--episode", "near/1", "--video", "v.txt"), "ends in .mp4"),
    "sheet's ending": ((*STORED, "--episode", "near/1", "--sheet", "s"), "ends in .png"),
    "film's folder": ((*STORED, "--episode", "near/1", "--video", "/proc/x/v.mp4"), "cannot be w"),
    "no file": ((*LIST, "no.npy"), "No such file", "numpy.save"),
    "a folder": ((*LIST, "."), "numpy.save"),
    "empty": ((*LIST, "empty.npy"), "not a .npy file", "numpy.save"),
    "text": ((*LIST, "text.npy"), "not a .npy file", "numpy.save"),
    "several arrays": ((*LIST, "several.npz"), "one array", "numpy.save"),
    "words": ((*LIST, "words.npy"), "real numbers", "numpy.save"),
    "objects": ((*LIST, "objects.npy"), "not a .npy file", "numpy.save"),
    "shape": ((*LIST, "shape.npy"), "(5, 6); the simulator takes (T, 7)", "numpy.save"),
    "flat": ((*LIST, "flat.npy"), "(7,); the simulator takes (T, 7)", "numpy.save"),
    "none": ((*LIST, "none.npy"), "(0, 7); the simulator takes (T, 7)", "numpy.save"),
    "NaN": ((*LIST, "nan.npy"), "NaN or infinity", "numpy.save"),
}


@pytest.fixture(scope="module")
def mistaken(finished):
    arrays = {
        "ok": np.zeros((5, 7)),
        "words": np.array(["a", "b"]),
        "objects": np.array([{}], dtype=object),
        "shape": np.zeros((5, 6)),
        "flat": np.zeros(7),
        "none": np.zeros((0, 7)),
        "nan": np.full((5, 7), np.nan),
    }
    for name, array in arrays.items():
        np.save(finished / f"{name}.npy", array)
    np.savez(finished / "several.npz", a=np.zeros(3))
    (finished / "empty.npy").touch()
    (finished / "text.npy").write_text("0 0 0 0 0 0 0\n")
    return finished


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_screen(mistaken, mistake):
    words, *said = MISTAKES[mistake]
    text = bench(*words, cwd=mistaken, code=2)
    assert len(text.splitlines()) <= 24
    for word in said:
        assert word in text, text


def test_a_simulator_that_dies_is_told_and_ends_with_1(finished, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 7)))
    command = [*LIST, tmp_path / "a.npy", "--set", "fault=exit", "--set", "fault_inits=0"]
    shown = json.loads(bench(*command, "--json", cwd=tmp_path, code=1))
    assert shown["outcome"] == "error" and shown["success"] is False
    assert "killed" in shown["error"] or "signal" in shown["error"]
