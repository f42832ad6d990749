"""Evaluation kits in a Python of their own: found or missed, started, read.

The kits need a GPU and gigabytes of data, so what runs here in their place takes their command line
and leaves files that the kits themselves wrote (`tests/store/vqa_kits`).
"""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.cli.test_read_verbs import bench
from vlm4vla.core.errors import BadInput, InvalidFile, MissingEnvironment, UnknownName
from vlm4vla.runs.kits import KITS, Evaluation, evaluate

WRITTEN = Path(__file__).parents[1] / "store" / "vqa_kits"
INSTEAD = """
import json, shutil, sys
words = sys.argv[1:]
at = {name: words[i + 1] for i, name in enumerate(words[:-1]) if name.startswith("--")}
out = at["--output_path"] if "--output_path" in at else at["--work-dir"]
with open(out + "/asked.json", "w") as file:
    json.dump(at, file)
for source, name in %r.items():
    if name in at.get("--tasks", at.get("--data", "")):
        shutil.copytree(source, out, dirs_exist_ok=True)
sys.exit(3 if "fail" in at.get("--tasks", "") else 0)
"""


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "before"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3_vl"}')
    return folder


@pytest.fixture
def python(tmp_path):
    """An interpreter in which both packages are found."""
    place = tmp_path / "kit"
    script = INSTEAD % {str(WRITTEN / "ours__before"): "pope", str(WRITTEN / "before"): "POPE"}
    for name in ("lmms_eval", "vlmeval"):
        (place / name).mkdir(parents=True)
        (place / name / "__init__.py").touch()
    (place / "lmms_eval" / "__main__.py").write_text(script)
    (place / "run.py").write_text(script)
    (place / "vlmeval" / "config.py").write_text("supported_VLM = {}\n")
    (place / "vlmeval" / "vlm.py").write_text("def Qwen3VLChat(model_path): ...\n")
    command = tmp_path / "python"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{place}" exec "{sys.executable}" "$@"\n')
    command.chmod(0o755)
    return str(command)


def asked(model, out, *tasks, limit=None, **options):
    return Evaluation(model, tasks, out, limit, options)


def test_lmms_eval_is_started_and_read(model, python, tmp_path):
    out = tmp_path / "out"
    ((path, found),) = evaluate("lmms-eval", python, asked(model, out, "pope", "x", limit=12))
    told = json.loads((out / "asked.json").read_text())
    assert told["--model"] == "qwen3_vl" and told["--tasks"] == "pope,x"
    assert told["--model_args"] == f"pretrained={model}" and told["--limit"] == "12"
    assert path.parent == out and found.format == "lmms-eval"
    scores = {score.benchmark: score for score in found.scores}
    assert (scores["pope"].model, scores["pope"].k, scores["pope"].n) == ("before", 9, 12)


def test_vlmevalkit_gets_the_model_under_a_name_of_its_own(model, python, tmp_path):
    out = tmp_path / "out"
    found = evaluate("vlmevalkit", python, asked(model, out, "POPE", min_pixels="3136"))
    told = json.loads((out / "asked.json").read_text())
    assert told["--model"] == "before" and told["--data"] == "POPE"
    assert {one.scores[0].benchmark for _, one in found} >= {"POPE", "MMStar", "MME"}
    with pytest.raises(BadInput, match="every question"):
        evaluate("vlmevalkit", python, asked(model, out, "POPE", limit=3))


def test_what_lacks_is_named_with_the_line_that_mends_it(model, python, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UnknownName, match="lmms-eval"):
        evaluate("lmms", python, asked(model, out, "pope"))
    for name in KITS:
        with pytest.raises(MissingEnvironment, match="no Python at") as caught:
            evaluate(name, "no-such-python", asked(model, out, "pope"))
        assert "pip install" in caught.value.fix and "--python" in caught.value.fix
        with pytest.raises(MissingEnvironment, match=f"has no {name}"):
            evaluate(name, sys.executable, asked(model, out, "pope"))
    with pytest.raises(BadInput, match="no model folder") as refused:
        evaluate("lmms-eval", python, asked(tmp_path, out, "pope"))
    assert "bench vqa export" in refused.value.fix and not out.exists()
    with pytest.raises(BadInput, match="ended with code 3"):
        evaluate("lmms-eval", python, asked(model, out, "fail"))
    with pytest.raises(InvalidFile, match="wrote no scores"):
        evaluate("lmms-eval", python, asked(model, out, "other"))


def test_the_verbs_keep_the_scores_and_pair_them(model, python, tmp_path):
    facts = {"checkpoint": "c0ffee", "backbone": "qwen3vl-4b", "base": "Qwen/Qwen3-VL-4B-Instruct"}
    (model / "vlm4vla.json").write_text(json.dumps(facts))
    line = ("vqa", "run", model, "--kit", "lmms-eval", "--python", python, "--task", "pope")
    said = bench(*line, "--out", tmp_path / "out", cwd=tmp_path)
    assert "before  pope: 0.75 (fraction, n = 12)" in said
    listed = json.loads(bench("vqa", "list", "--benchmark", "pope", "--json", cwd=tmp_path))
    assert [(row["model"], row["origin"], row["n"]) for row in listed] == [
        ("before", "imported", 12)
    ]
    (row,) = listed
    assert row["backbone"] == "" and row["note"] == "qwen3vl-4b after training, checkpoint c0ffee"
    (source,) = json.loads(bench("import", "--list", "--json", cwd=tmp_path))
    assert source["provenance"]["file says"]["model"] == facts
    pairs = bench("vqa", "retention", tmp_path / "out", WRITTEN / "ours__after", cwd=tmp_path)
    assert "55.6" in pairs and os.linesep in pairs
