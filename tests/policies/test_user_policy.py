"""A user's own policy, from a file of ten lines in the user's own folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench import bench
from tests.kills.driver import rows
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store

README = Path(__file__).parents[2] / "README.md"
TEN_LINES = next(
    block
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    if "class Downwards(Policy)" in block
)
"""The example that README gives."""
LOOKING = """\
import numpy as np

from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec
from vlm4vla.policies import ActionChunk, Policy


class Looking(Policy):
    known_options = ("flip",)

    @classmethod
    def describe(cls, simulator, **options):
        camera = CameraRequest("top", 32, 32, flip=options.get("flip", "none"))
        return PolicySpec(simulator.action, ObservationRequest((camera,)), execution="first")

    def act(self, observations, sessions):
        # Where the dark hand is in the picture says where to go: a flip turns the way around.
        chunks = []
        for observation in observations:
            dark = observation.image("top").sum(-1) < 150
            columns = np.nonzero(dark)[1]
            action = np.zeros((1, 7))
            action[0, 0] = 1.0 if columns.mean() >= 15.5 else -1.0
            chunks.append(ActionChunk(action))
        return chunks
"""


def run(folder, *words):
    done = bench("run", *words, "--store", "bench.db", cwd=folder)
    assert done.code == 0, done.out + done.err
    return done.out


def test_ten_lines_run(tmp_path, ray_session):
    (tmp_path / "my_policy.py").write_text(TEN_LINES)
    assert len(TEN_LINES.splitlines()) == 10
    text = run(tmp_path, "--policy", "my_policy:Downwards", "--suite", "toy", "--episodes", "2")
    assert "4/4 episodes, success 0.0%" in text
    found = rows(tmp_path / "bench.db")
    assert all(
        (row.steps, row.queries, row.renders, row.error) == (60, 8, 8, None) for row in found
    )


@pytest.mark.grinningface
def test_the_same_ten_lines_run_on_the_emoji_task(tmp_path, ray_session):
    (tmp_path / "my_policy.py").write_text(TEN_LINES)
    command = ["--policy", "my_policy:Downwards", "--suite", "grinningface_val", "--episodes", "1"]
    run(tmp_path, *command, "--set", "robot=panda")
    (row,) = rows(tmp_path / "bench.db")
    assert (row.steps, row.queries, row.renders, row.error) == (200, 25, 25, None)


@pytest.mark.usefixtures("ray_session")
def test_a_declared_flip_reaches_the_policy(tmp_path, monkeypatch):
    (tmp_path / "looking_policy.py").write_text(LOOKING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sides = {}
    with Store.open(tmp_path / "bench.db", create=True) as store:
        for flip in ("none", "horizontal"):
            request = RunRequest(
                "looking_policy:Looking", "toy", ("near",), (0,), policy_options={"flip": flip}
            )
            run = execute(resolve(request), store, lambda event: None).run
            assert store.run(run).policy_options == {"flip": flip}
            (row,) = store.episodes(run)
            assert row.renders == row.queries == row.steps == 60
            sides[flip] = set(store.actions(run, row.key)[5:, 0])
    # Seen as it is, the hand flees the middle for one side; mirrored, it swings about it.
    assert len(sides["none"]) == 1 and len(sides["horizontal"]) == 2


def test_an_edited_policy_is_another_run(tmp_path):
    command = ["--policy", "my_policy:Downwards", "--suite", "toy", "--dry-run"]
    ids = []
    for text in (TEN_LINES, TEN_LINES, TEN_LINES.replace("-0.5", "-0.6")):
        (tmp_path / "my_policy.py").write_text(text)
        ids.append(run(tmp_path, *command).split()[1])
    assert ids[0] == ids[1] != ids[2]
