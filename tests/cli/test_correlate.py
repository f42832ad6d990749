"""`bench correlate` and `bench leaderboard --published` as a new user types them."""

import json

from tests.cli.test_read_verbs import bench

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
