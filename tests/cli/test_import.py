"""`bench import` and `bench vqa list` as a user types them."""

import json
from pathlib import Path

from tests.cli.test_read_verbs import bench

VLA_EVAL = Path(__file__).parents[1] / "store" / "vla_eval"


def test_from_a_file_to_a_marked_row_and_out_again(tmp_path):
    said = bench("import", VLA_EVAL / "recording.sqlite", cwd=tmp_path)
    assert "6 results from vla-eval (unfinished: CoinBenchmark)" in said
    assert "nothing changed" in bench("import", VLA_EVAL / "recording.sqlite", cwd=tmp_path)
    (source,) = json.loads(bench("import", "--list", "--json", cwd=tmp_path))
    assert (source["results"], source["scores"], source["kind"]) == (6, 0, "imported")
    assert source["provenance"]["command"].startswith("bench import ")
    shown = bench("leaderboard", "--imported", cwd=tmp_path)
    assert "their-vla¶" in shown and "(33.3 [12, 65])" in shown and "err 30 to 40" in shown
    rows = json.loads(bench("leaderboard", "--json", cwd=tmp_path))
    assert rows == [], "nothing imported is among our runs"
    bench("import", "--remove", source["id"], cwd=tmp_path)
    assert json.loads(bench("import", "--list", "--json", cwd=tmp_path)) == []


def test_the_best_of_many_is_marked(tmp_path):
    recording = VLA_EVAL / "recording.sqlite"
    assert "at least 1" in bench(
        "import", recording, "--selected-from", 0, cwd=tmp_path, code=2
    )  # fmt: skip
    bench("import", recording, "--selected-from", 7, cwd=tmp_path)
    (source,) = json.loads(bench("import", "--list", "--json", cwd=tmp_path))
    assert source["provenance"]["selected_from"] == 7
    shown = bench("leaderboard", "--imported", cwd=tmp_path)
    assert "their-vla‡¶" in shown and "‡ best of several" in shown


def test_scores_become_an_axis(emoji, tmp_path):
    table = tmp_path / "scores.csv"
    models = ("mine-a", "mine-b", "mine-c")
    lines = [f"{m},{m},my VQA,{50 + 5 * i},percent,200" for i, m in enumerate(models)]
    table.write_text("\n".join(["model,backbone,benchmark,value,unit,n", *lines]) + "\n")
    assert "3 scores from csv" in bench("vqa", "import", table, store=emoji)
    listed = json.loads(
        bench("vqa", "list", "--benchmark", "my VQA", "--json", store=emoji)
    )  # fmt: skip
    assert [(r["origin"], r["value"]) for r in listed] == [
        ("imported", 0.5), ("imported", 0.55), ("imported", 0.6),
    ]  # fmt: skip
    assert listed[0]["low"] < 0.5 < listed[0]["high"]
    named = [f"--backbone={p}={m}" for p, m in zip(("expert", "expert-blind", "my_policy:Mine"),
                                                    models, strict=True)]  # fmt: skip
    (row,) = json.loads(bench("correlate", "--vqa", "my VQA", *named, "--json", store=emoji))
    assert (row["suite"], row["n"]) == ("grinningface_val", 3) and row["pearson"] < 0
    assert any("replay is incomplete 12/24" in note for note in row["notes"])
    assert "MMStar" in bench("vqa", "list", store=emoji)


def test_mistakes_end_with_code_2_and_enter_nothing(tmp_path):
    assert "No file" in bench("import", cwd=tmp_path, code=2)
    bad = tmp_path / "bad.csv"
    bad.write_text("policy,suite,metric,value\np,s,success,much\n")
    error = bench("import", VLA_EVAL / "collector.json", bad, cwd=tmp_path, code=2)
    assert "line 2: value" in error and not (tmp_path / "results").exists()
    assert "There is no store" in bench("import", "--list", cwd=tmp_path, code=2)
    assert "Did you mean" in bench("vqa", "list", "--benchmark", "MMStars", cwd=tmp_path, code=2)
