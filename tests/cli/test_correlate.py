"""`bench correlate` and `bench leaderboard --published` as a new user types them."""

import json
from dataclasses import replace

from tests.cli.test_read_verbs import bench
from vlm4vla import api
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.result import EpisodeResult, Metric, Outcome
from vlm4vla.store import RunRecord, Store

METRICS = (Metric(name="success", kind="rate", of="success", headline=True),)
FIGURE_3 = "VLM4VLA general capability (Fig. 3 x-axis)"


def test_published_figures_as_json_without_a_store(tmp_path):
    rows = json.loads(
        bench("correlate", "--published", "--vqa", FIGURE_3, "--json", cwd=tmp_path)
    )  # fmt: skip
    found = {row["suite"]: row for row in rows}
    assert set(found) == {"calvin_abcd", "simpler_bridge", "libero_10"}
    for suite, r in (("calvin_abcd", 0.839), ("simpler_bridge", -0.358), ("libero_10", -0.194)):
        row = found[suite]
        assert row["n"] == 9 and abs(row["pearson"] - r) < 0.005
        assert row["low"] < row["pearson"] < row["high"] and 0 < row["p"] <= 1
        assert -1 <= row["spearman"] <= 1
    assert list(tmp_path.iterdir()) == []


def test_published_figures_on_a_screen_and_as_drawings(tmp_path):
    text = bench(
        "correlate", "--published", "--vqa", FIGURE_3, "--suite", "libero_10", "--svg", "out",
        cwd=tmp_path,
    )  # fmt: skip
    said = " ".join(text.split())  # the sentences are broken at the screen's width
    assert "r = -0.194" in said and "exact p = 0.602" in said and "never published" in said
    assert all(len(line) <= 100 for line in text.splitlines() if not line.startswith("Drawings"))
    assert len(list((tmp_path / "out").glob("*.svg"))) == 2


def test_leaderboard_beside_the_papers(emoji, tmp_path):
    text = bench("leaderboard", "--published", "--paper", "GrinningFace", store=emoji)
    assert "Baseline (full FT)‡" in text and "expert†" in text and "≠" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    rows = json.loads(bench("leaderboard", "--published", "--json", store=emoji))
    assert {row["origin"] for row in rows} == {"ours", "paper"}
    assert bench("leaderboard", "--published", "--suite", "libero_10", cwd=tmp_path).count("‡") > 9


def test_mistakes_end_with_code_2(tmp_path):
    error = bench("correlate", "--published", "--vqa", "MMMUU", cwd=tmp_path, code=2)
    assert "MMMU" in error and "bench vqa list" in error
    error = bench("correlate", "--vqa", FIGURE_3, cwd=tmp_path, code=2)
    assert "There is no store" in error
    error = bench(
        "correlate", "--published", "--vqa", FIGURE_3, "--svg", "/proc/none", cwd=tmp_path, code=2
    )  # fmt: skip
    assert "cannot be written" in error


def test_the_labs_question_takes_one_command_and_a_csv(tmp_path):
    solved = {"qwen3vl-2b": 4, "qwen3vl-4b": 5, "qwen3vl-8b": 9, "my-vla": 7, "kosmos-2": 1}
    db, table = tmp_path / "bench.db", tmp_path / "my.csv"
    with Store.open(db, create=True) as made:
        for policy, won in solved.items():
            plan = tuple(EpisodeKey("toy", "reach", i) for i in range(10))
            run = RunRecord(f"toy-{policy}", policy, "toy", "toy", plan, METRICS)
            made.begin(replace(run, checkpoint=f"runs/{policy}/last.pt"))
            for key in plan:
                end = Outcome.SUCCESS if key.init < won else Outcome.FAILURE
                made.record(run.id, EpisodeResult(key, end))
    store = Store.open(db)
    lines = ["policy,MMBench,MMStar", "qwen3vl-2b,61.5,0.41", "qwen3vl-4b,70.1,0.52",
             "qwen3vl-8b,75,0.61", "my-vla,72,0.5", "nobody,50,0.3"]  # fmt: skip
    table.write_text("\n".join(lines))
    asked = ("correlate", "--suite", "toy")
    said = " ".join(bench(*asked, "--scores", table, store=store).split())
    assert "key column 'policy'; MMBench in percent; MMStar in fraction" in said
    assert "no score on MMBench: kosmos-2" in said and "no toy result: nobody" in said
    assert "x in %, y in %" in said and "my-vla" in said
    direct = json.loads(bench(*asked, "--scores", table, "--json", store=store))
    assert [(one["vqa"], one["n"]) for one in direct] == [("MMBench", 4), ("MMStar", 4)]
    frame = api.correlate(suite="toy", scores=table, store=store)
    assert list(frame.pearson) == [one["pearson"] for one in direct]
    assert "MMBench in percent" in frame.attrs["scores"]
    bench("import", table, store=store)
    (stored,) = json.loads(bench(*asked, "--vqa", "MMBench", "--json", store=store))
    assert stored["pearson"] == direct[0]["pearson"], "the same file, imported"
