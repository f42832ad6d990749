"""`bench report`: the whole page of real runs, with what their policies saw."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image

from tests.bench import bench as run
from vlm4vla import report
from vlm4vla.core.errors import BadInput
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store


def bench(*words, cwd, code=0):
    done = run(*words, cwd=cwd)
    assert done.code == code, done.out + done.err
    return done.err if code == 2 else done.out


@pytest.fixture(scope="module")
def folder(tmp_path_factory, ray_session):
    """Runs of the toy: both policies, and one whose simulator dies in two places."""
    made = tmp_path_factory.mktemp("report")
    faults = {"fault": "exit", "fault_inits": "1"}
    with Store.open(made / "results" / "bench.db", create=True) as store:
        for request in (
            RunRequest("expert", "toy", episodes=3),
            RunRequest("random", "toy", episodes=3),
            RunRequest("expert", "toy", episodes=3, options=faults, retries=0),
        ):
            execute(resolve(request), store, lambda event: None)
    return made


def test_frames_are_what_the_policy_would_have_seen(folder):
    said = bench("report", "--frames", 1, "--policy", "random", cwd=folder)
    assert "No frames" not in said
    text = (folder / "results" / "report.html").read_text()
    (title, data) = re.findall(r'<img alt="([^"]+)" src="data:image/webp;base64,([^"]+)"', text)[0]
    assert re.fullmatch(r"random \w{8}, (far|near)/\d: failure", title)
    with Image.open(io.BytesIO(base64.b64decode(data))) as sheet:
        assert sheet.width == 6 * 166 + 6, "six pictures a row"
    section = text[text.index('id="toy"') : text.index('id="errors"')]
    assert "What the policies saw" in section


def test_errors_stand_with_their_bounds_and_all_runs_with_their_commands(folder):
    bench("report", "--all", "--out", "all.html", cwd=folder)
    text = (folder / "all.html").read_text()
    assert "2 of 6 episodes were given up" in text and "66.7 %" in text and "2 crash" in text
    with Store.open(folder / "results" / "bench.db") as store:
        for run in store.runs():
            assert f'id="{run.id}"' in text
    assert text.count("bench run --policy") >= 3


def test_mistakes_are_named(folder):
    assert "toy" in bench("report", "--suite", "toi", cwd=folder, code=2)
    assert "bench vqa list" in bench("report", "--vqa", "nothing", cwd=folder, code=2)
    assert "no picture" in bench("report", "--sheet", "a=b.png", cwd=folder, code=2)


def test_the_python_function_writes_the_same_page(folder, tmp_path):
    out = report(tmp_path / "r.html", store=folder / "results" / "bench.db", policy="random")
    text = out.read_text()
    assert "random" in text and "expert" not in text
    with pytest.raises(BadInput):
        report(tmp_path / "r.html", store=folder / "results" / "bench.db", suite="toi")
