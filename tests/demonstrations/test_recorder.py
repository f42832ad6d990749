"""`bench demos`: what is rendered, what is written, and going on after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

from tests.cli.test_replay import bench
from tests.training import counting
from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.demonstrations.open import open_demonstrations
from vlm4vla.demonstrations.recorder import steps_to_draw
from vlm4vla.demonstrations.samples import Chunks
from vlm4vla.simulators import plugin
from vlm4vla.simulators.toy.world import World
from vlm4vla.store import Store
from vlm4vla.suites.suite import load

ROOT = Path(__file__).parents[2]


def command(folder: Path, out: str, *more: str) -> list[str]:
    return [
        "demos", "--suite", str(counting.suite(folder)), "--out", out, "--frames", "5",
        "--size", "32", "--slots", "1", *more,
    ]  # fmt: skip


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    return {"TOY_RENDERS": str(folder / "renders.txt"), "PYTHONPATH": str(ROOT), **more}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    bench(*command(folder, "d"), cwd=folder, **surroundings(folder))
    return folder


def tables(folder: Path) -> list:
    return [pq.read_table(path) for path in sorted(folder.glob("data/*/*.parquet"))]


def test_only_what_training_sees_is_rendered(recorded):
    """The simulator drew the pictures in the set, each once, and no other."""
    drawn = (recorded / "renders.txt").read_text().splitlines()
    assert len(drawn) == len(set(drawn)) == 6 * 5
    data = open_demonstrations(recorded / "d")
    held = {(i, step) for i, t in enumerate(data.trajectories) for step in t.pictured}
    order = {("near", i): i for i in range(3)} | {("far", i): 3 + i for i in range(3)}
    assert {(order[t, int(i)], int(s)) for t, i, s in map(str.split, drawn)} == held


def test_every_action_is_there_as_it_was_executed(recorded):
    data = open_demonstrations(recorded / "d")
    with Store.open(recorded / "d" / "played.db") as store:
        run = store.runs()[0]
        order = [EpisodeKey("counted", task, i) for task in ("near", "far") for i in range(3)]
        for key, trajectory in zip(order, data.trajectories, strict=True):
            executed = store.actions(run.id, key)
            assert trajectory.length == len(executed)
            assert np.array_equal(trajectory.actions(0, len(executed)), executed.astype(np.float32))
            assert trajectory.instruction(0) == "carry the red puck to the blue pad"


def test_the_set_states_its_convention_and_provenance(recorded):
    data = open_demonstrations(recorded / "d")
    assert data.action == plugin("toy").describe({}).action
    about = json.loads((recorded / "d" / "meta" / "vlm4vla.json").read_text())
    assert about["policy"] == "expert" and about["suite"] == "counted"
    assert about["pictures"] == 30 and about["provenance"]["harness"]
    assert about["comparability"]["renderer"] == "numpy"
    sample = Chunks([data], 4, [CameraRequest("top")])[0]
    assert sample.images["top"].shape == (1, 32, 32, 3)


def test_the_metadata_agrees_with_the_files(recorded):
    info = json.loads((recorded / "d" / "meta" / "info.json").read_text())
    found = tables(recorded / "d")
    assert info["total_episodes"] == len(found) == 6
    assert info["total_frames"] == sum(len(table) for table in found)
    index = np.concatenate([table["index"].to_numpy() for table in found])
    assert np.array_equal(index, np.arange(info["total_frames"]))
    declared = set(info["features"])
    assert all(set(table.column_names) == declared for table in found)


def test_pictures_show_the_step_they_stand_at(recorded):
    """The gripper is drawn where the played actions had carried it."""
    episode = load("toy").episodes[0]
    data = open_demonstrations(recorded / "d")
    trajectory = data.trajectories[0]
    with Store.open(recorded / "d" / "played.db") as store:
        key = EpisodeKey("counted", "near", 0)
        actions = store.actions(store.runs()[0].id, key)
    world = World()
    world.reset(Episode(key, episode.instruction, 60, episode.setup))
    assert data.proprio == plugin("toy").describe({}).observation.proprio
    request = ObservationRequest((CameraRequest("top", 32, 32),), data.proprio)
    for step, action in enumerate(actions):
        seen = world.observe(request)
        if step in trajectory.pictured:
            assert np.array_equal(seen.image("top"), trajectory.image(step, "top"))
            assert np.array_equal(seen.proprio.astype(np.float32), trajectory.proprio(step))
        else:
            assert np.isnan(trajectory.proprio(step)).all()
        world.advance(action)


def test_a_set_begun_without_proprioception_goes_on_without(recorded, tmp_path):
    """As 0.2.0 began it, killed before its second episode."""
    shutil.copytree(recorded / "d", tmp_path / "d")
    (tmp_path / "d" / "meta" / "info.json").unlink()
    settings = tmp_path / "d" / "meta" / "settings.json"
    begun = json.loads(settings.read_text())
    del begun["proprio"]
    settings.write_text(json.dumps(begun))
    bench(*command(tmp_path, "d"), cwd=tmp_path, **surroundings(tmp_path))
    before, after = (open_demonstrations(folder / "d") for folder in (recorded, tmp_path))
    assert before.proprio and after.proprio == ()
    for had, has in zip(before.trajectories, after.trajectories, strict=True):
        assert np.array_equal(had.actions(0, had.length), has.actions(0, has.length))
        assert np.array_equal(had.image(0, "top"), has.image(0, "top"))


@pytest.mark.kills
def test_a_killed_recording_goes_on_and_ends_the_same(recorded, tmp_path):
    words = [sys.executable, "-m", "vlm4vla.cli", *command(tmp_path, "d")]
    slow = os.environ | surroundings(tmp_path, TOY_RENDER_S="0.3")
    child = subprocess.Popen(words, cwd=tmp_path, env=slow, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("d/data/*/*.parquet")):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("d/data/*/*.parquet")}
    assert 1 <= len(before) < 6
    with pytest.raises(Exception, match="not finished"):
        open_demonstrations(tmp_path / "d")
    said = bench(*command(tmp_path, "d"), cwd=tmp_path, **surroundings(tmp_path))
    assert "6 already stored" in said
    assert all(path.stat().st_mtime_ns == time_ for path, time_ in before.items())
    for ours, theirs in zip(tables(recorded / "d"), tables(tmp_path / "d"), strict=True):
        assert ours.equals(theirs)


BEGIN = """
import resource, signal, sys
from pathlib import Path
from vlm4vla.demonstrations.recorder import FrameSelection
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.record import recorder
from vlm4vla.runs.replay import request_of
from vlm4vla.store import Store
with Store.open(sys.argv[1]) as store:
    run = store.runs()[0]
    takes = recorder(
        resolve(request_of(run)), store, run.id, Path(sys.argv[2]), FrameSelection(5, (), 32)
    )
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
takes.run(1, print)
"""


def test_a_recording_killed_while_it_writes_its_settings_goes_on(recorded, tmp_path):
    """The kernel ends it in the middle of the file: after a hundred bytes."""
    store = recorded / "d" / "played.db"
    words = [sys.executable, "-c", BEGIN, str(store), str(tmp_path / "d")]
    around = surroundings(tmp_path)
    begun = subprocess.run(words, cwd=recorded, env=os.environ | around, timeout=120)
    assert begun.returncode == -signal.SIGXFSZ
    chosen = ["--frames", "5", "--size", "32", "--slots", "1", "--store", store]
    with Store.open(store) as opened:
        run = opened.runs()[0].id
    bench("demos", "--run", run, "--out", "d", *chosen, cwd=tmp_path, **around)
    assert len(tables(tmp_path / "d")) == 6


@pytest.mark.kills
def test_an_interrupt_ends_it_at_once_and_leaves_nobody_behind(tmp_path):
    words = [sys.executable, "-m", "vlm4vla.cli", *command(tmp_path, "d")]
    slow = os.environ | surroundings(tmp_path, TOY_RENDER_S="2")
    child = subprocess.Popen(words, cwd=tmp_path, env=slow, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "renders.txt").is_file():
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.05)
    family = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    drawn = (tmp_path / "renders.txt").read_text().splitlines()
    assert len(set(drawn)) == len(drawn) < 5, "it went on with the episode, or tried it again"
    assert psutil.wait_procs(family, timeout=20)[1] == []


def test_a_stored_run_becomes_demonstrations(recorded, tmp_path):
    """Traces that `bench run` kept are rendered after the fact, to the same set."""
    store = recorded / "d" / "played.db"
    with Store.open(store) as opened:
        run = opened.runs()[0].id
    words = ["--frames", "5", "--size", "32", "--slots", "1", "--store", store]
    bench("demos", "--run", run, "--out", "e", *words, cwd=tmp_path, **surroundings(tmp_path))
    for ours, theirs in zip(tables(recorded / "d"), tables(tmp_path / "e"), strict=True):
        assert ours.equals(theirs)


def test_mistakes_end_before_any_work(recorded, tmp_path):
    def said(*words):
        return bench(*words, cwd=recorded, code=2, **surroundings(recorded))

    assert "--suite or --run" in said("demos", "--out", "x")
    assert "no camera" in said(*command(recorded, "x", "--camera", "wrist"))
    assert "outside 8..4096" in said(*command(recorded, "x", "--size", "2"))
    assert "holds demonstrations with frames 5, not 7" in said(
        *command(recorded, "d", "--frames", "7")
    )
    assert not (recorded / "x" / "played.db").exists()


@pytest.mark.parametrize("length", [1, 15, 16, 17, 49, 200])
def test_steps_are_spread_over_the_whole_episode(length):
    episode = Episode(EpisodeKey("s", "t", 3), "", 200)
    steps = steps_to_draw(length, 16, episode)
    assert steps[0] == 0 and list(steps) == sorted(set(steps)) and steps[-1] < length
    assert len(steps) == min(16, length)
    if length >= 32:
        assert max(np.diff(steps)) <= 2 * -(-length // 16)
    assert steps == steps_to_draw(length, 16, episode)
    assert steps_to_draw(length, None, episode) == tuple(range(length))


def test_different_episodes_draw_different_steps():
    drawn = {steps_to_draw(100, 8, Episode(EpisodeKey("s", "t", i), "", 200)) for i in range(20)}
    assert len(drawn) == 20
