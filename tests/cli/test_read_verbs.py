"""The verbs as a user types them: what they print and their exit code."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from tests.bench import bench as run
from tests.reports.conftest import emoji_run, fill
from vlm4vla.core.errors import ErrorKind


def bench(*words, store=None, cwd=None, code=0):
    named = {} if store is None else {"VLM4VLA_STORE": store.name}
    done = run(*words, cwd=cwd, **named)
    assert done.code == code, done.out + done.err
    return done.err if code else done.out


def test_leaderboard(emoji):
    text = bench("leaderboard", store=emoji)
    assert "expert-blind†" in text.replace("\n", "") or "expert-bli" in text
    assert "33.3 [18, 53]" in text and "12/24" in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_leaderboard_json_is_a_list_of_rows(emoji):
    rows = json.loads(bench("leaderboard", "--json", store=emoji))
    asked = {"policy", "suite", "task", "metric", "value", "low", "high", "n"}
    assert all(asked <= set(row) for row in rows)
    (row,) = (
        r
        for r in rows
        if (r["policy"], r["task"], r["metric"]) == ("expert-blind", "all", "recognition")
    )
    assert row["value"] == pytest.approx(1 / 3) and row["n"] == 24
    (row,) = (
        r for r in rows if (r["policy"], r["task"], r["metric"]) == ("random", "all", "recognition")
    )
    assert row["value"] is None and row["n"] == 0


@pytest.mark.parametrize(
    ("format", "start"),
    [("markdown", "### "), ("csv", "policy,suite"), ("latex", r"\begin{table}")],
)
def test_leaderboard_formats(emoji, format, start):
    assert bench("leaderboard", "--format", format, store=emoji).startswith(start)


def test_leaderboard_hides_older_runs_and_says_so(store):
    for i in range(3):
        run = emoji_run("expert", code=f"{i}a1b2c3d", created=f"2026-01-0{i + 1}")
        fill(store, run, 24, 24)
    assert "2 older or shorter runs are not shown" in bench("leaderboard", store=store)
    assert "not shown" not in bench("leaderboard", "--all", store=store)
    assert len(json.loads(bench("leaderboard", "--all", "--json", store=store))) == 3 * 8


def test_leaderboard_shows_one_table_and_says_which_it_lacks(tmp_path):
    campaign = ("--campaign", "vlm4vla_table1")
    assert "No campaign is named" in bench(
        "leaderboard", "--table", "campaign", cwd=tmp_path, code=2
    )
    for more in (("--table", "decomposition"), ("--decomposition",)):
        said = bench("leaderboard", *campaign, *more, cwd=tmp_path, code=2)
        assert "campaign and decomposition are 2 tables" in said
    assert bench("leaderboard", *campaign, "--table", "campaign", cwd=tmp_path) == bench(
        "leaderboard", *campaign, cwd=tmp_path
    )


def test_leaderboard_of_an_empty_store_and_of_none(store, tmp_path):
    assert "no runs yet" in bench("leaderboard", store=store)
    assert "There is no store at" in bench("leaderboard", cwd=tmp_path, code=2)
    assert "Fix:" in bench("leaderboard", cwd=tmp_path, code=2)
    text = bench("leaderboard", "--suite", "grinning", store=store, code=2)
    assert "no suite with runs" in text


def test_show_run(emoji):
    text = bench("show", "3a1b2c3d", store=emoji)
    for expected in (
        "grinningface_val-Mine-3a1b2c3d   complete",
        "30.0 [15, 52]",
        "24/24, 4 errors",
        "quarantined: 4 episodes",
        "last call: render",
        "failed attempts that were repeated: 8",
        "lavapipe 25.0",
        "2590 steps, 240 queries, 240 renders",
    ):
        assert expected in text
    assert "incomplete 12/24" in bench("show", "4a1b2c3d", store=emoji)
    assert "! † reads the simulator" in bench("show", "1a1b2c3d", store=emoji)
    assert "! †" not in text and "! err:" in text


def test_show_run_json(emoji):
    facts = json.loads(bench("show", "grinningface_val-Mine", "--json", store=emoji))
    assert (facts["finished"], facts["planned"], facts["status"]) == (24, 24, "complete")
    assert len(facts["episodes"]) == 24 and len(facts["faults"]) == 8
    assert facts["time"]["render"] == pytest.approx(20 * 2.0)
    assert facts["stages"][2] == {"name": "lifted", "reached": 12, "episodes": 20}
    assert facts["provenance"]["command"].startswith("bench run")
    broken = facts["episodes"][23]
    assert broken["error"] == ErrorKind.HANG and "render" in broken["error_text"]


def test_show_episode(emoji):
    text = bench("show", "1a1b2c3d", "--episode", "place/3", store=emoji)
    assert "grinningface_val/place/3   success" in text
    assert "executed=1" in text and "grasped=yes" in text and "render=2" in text
    assert "bench replay grinningface_val-expert-blind-1a1b2c3d --episode place/3" in text
    text = bench("show", "3a1b2c3d", "--episode", "23", store=emoji)
    assert "error (hang, attempt 3)" in text and "attempt 2 failed (hang)" in text
    facts = json.loads(bench("show", "1a1b2c3d", "--episode", "place/3", "--json", store=emoji))
    assert facts["outcome"] == "success" and facts["actions"] == [3, 7] and facts["seed"] == 0
    assert facts["measures"]["recognised"] == 1.0 and facts["steps"] == 123


def test_show_names_what_does_not_exist(emoji):
    assert "no run named" in bench("show", "nothing", store=emoji, code=2)
    assert "5 ids match" in bench("show", "grinning", store=emoji, code=2)
    text = bench("show", "1a1b2c3d", "--episode", "place/99", store=emoji, code=2)
    assert "Did you mean place/9" in text
    assert "not TASK/INIT" in bench("show", "1a1b2c3d", "--episode", "x", store=emoji, code=2)
    text = bench("show", "4a1b2c3d", "--episode", "place/20", store=emoji, code=2)
    assert "was not run yet" in text


def test_export(emoji, tmp_path):
    out = tmp_path / "all.parquet"
    assert "108 episodes of 5 runs" in bench("export", "--out", out, store=emoji)
    assert len(pd.read_parquet(out)) == 108
    out = tmp_path / "one.data"
    bench("export", "--out", out, "--format", "csv", "--run", "0a1b2c3d", store=emoji)
    assert len(pd.read_csv(out)) == 24
    assert "--format" in bench("export", "--out", tmp_path / "a.xls", store=emoji, code=2)


def test_list(emoji, tmp_path):
    text = bench("list", store=emoji)
    for expected in ("toy", "grinningface_val", "expert-blind", "random", "12/24 incomplete"):
        assert expected in text
    facts = json.loads(bench("list", "--json", store=emoji))
    assert list(facts) == ["suites", "policies", "backbones", "simulators", "runs"]
    assert len(facts["runs"]) == 5
    assert {"policy": "random", "for": "every simulator"} in facts["policies"]
    assert list(json.loads(bench("list", "suites", "--json", cwd=tmp_path))) == ["suites"]
    assert "none yet" in bench("list", "runs", cwd=tmp_path)


def test_report(emoji, tmp_path):
    out = tmp_path / "page.html"
    bench("report", "--out", out, "--suite", "grinningface_val", store=emoji)
    assert "33.3 <i>[18, 53]</i>" in out.read_text(encoding="utf-8")
    assert "no picture" in bench("report", "--out", out, "--sheet", "a=b.png", store=emoji, code=2)


@pytest.mark.parametrize("verb", ["list", "leaderboard", "show"])
def test_imports_nothing_heavy(emoji, verb):
    words = [verb, "0a1b2c3d"] if verb == "show" else [verb]
    script = (
        "import sys; sys.argv = ['bench', *sys.argv[1:]]\n"
        "from vlm4vla.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'scipy', 'ray', 'pyarrow', 'torch', 'sapien', 'PIL', 'jinja2'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--store", emoji.name],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "heavy: []", done.stdout + done.stderr
