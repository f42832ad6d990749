"""Result files of others, in the forms their programs write them."""

import json
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.files import shipped
from vlm4vla.store import Store
from vlm4vla.store.importers import Asked, enter, read
from vlm4vla.store.library import ImportedResult, Score, Source

HERE = Path(__file__).parent
VLA_EVAL = HERE / "vla_eval"
KITS = HERE / "vqa_kits"
PEER = HERE.parents[1] / ".venv-peer" / "bin" / "python"


def value(found, metric="success", task="all"):
    (one,) = [r for r in found.results if r.metric == metric and r.task == task]
    return one


@pytest.mark.parametrize("name", ["recording.sqlite", "coin_aggregate.json", "collector.json"])
def test_vla_eval_keeps_errors_out_of_the_denominator(name):
    found = read(VLA_EVAL / name)
    everything, pick = value(found), value(found, task="pick")
    assert (everything.k, everything.n, everything.errors) == (3, 9, 1)
    assert (pick.k, pick.n, pick.errors) == (2, 4, 1)
    # vla-eval itself prints 3 of 10: the bounds that the error leaves hold it.
    assert everything.k / (everything.n + everything.errors) == 0.3
    assert found.provenance["versions"] == ["0.8.0"]
    assert everything.suite == "CoinBenchmark" and everything.protocol == "vla-eval 0.8.0, sync"


def test_vla_eval_says_whose_it_is_and_what_is_unfinished():
    found = read(VLA_EVAL / "recording.sqlite")
    assert value(found).policy == "their-vla"
    assert found.note == "unfinished: CoinBenchmark"
    mean = value(found, "completed_subtasks")
    assert (mean.kind, mean.n, mean.value) == ("mean", 9, pytest.approx(13 / 9))
    assert value(read(VLA_EVAL / "collector.json")).policy == "collector"
    named = read(VLA_EVAL / "collector.json", Asked(policy="pi0", suite="libero_10"))
    assert {(r.policy, r.suite) for r in named.results} == {("pi0", "libero_10")}


def test_recording_and_report_agree():
    recording, report = (
        sorted(read(VLA_EVAL / name).results, key=str)
        for name in ("recording.sqlite", "coin_aggregate.json")
    )
    assert recording == report


@pytest.mark.skipif(not PEER.exists(), reason="vla-eval is not installed beside")
def test_the_files_are_what_vla_eval_writes(tmp_path):
    subprocess.run(
        [PEER, VLA_EVAL / "make.py", tmp_path], check=True, capture_output=True, timeout=120
    )
    for name in ("recording.sqlite", "coin_aggregate.json", "collector.json"):
        assert read(tmp_path / name).results == read(VLA_EVAL / name).results


def test_a_recording_that_is_still_being_written_can_be_read(tmp_path):
    path = tmp_path / "r.sqlite"
    path.write_bytes((VLA_EVAL / "recording.sqlite").read_bytes())
    with sqlite3.connect(path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert value(read(path)).n == 9


def test_a_published_rate_of_libero_or_simpler(tmp_path):
    libero = tmp_path / "libero_10_0.4660.json"
    libero.write_text('{"success_rate": 46.6, "test_num": 500, "success_num": 233}')
    one = value(read(libero, Asked(policy="qwen3vl-8b")))
    assert (one.suite, one.k, one.n) == ("libero_10", 233, 500)
    carrot = tmp_path / "PutCarrotOnPlateInScene-v0_0.2083.json"
    carrot.write_text(
        json.dumps({"success_rate": 500 / 24, "test_num": 24, "success_num": 5})
    )  # fmt: skip
    one = value(read(carrot, Asked(policy="p")), task="carrot")
    assert (one.suite, one.k, one.n) == ("simpler_bridge", 5, 24)
    carrot.write_text('{"success_rate": 30.0, "test_num": 24, "success_num": 5}')
    with pytest.raises(InvalidFile, match="5 of 24 is not"):
        read(carrot, Asked(policy="p"))
    with pytest.raises(InvalidFile, match="whose result"):
        read(libero)


def running_rates(chains, planned):
    lines = []
    for i in range(len(chains)):
        rates = [sum(c >= k for c in chains[: i + 1]) / (i + 1) for k in range(1, 6)]
        lines.append(f"{i}/{planned}: " + "".join(f"{r:.3f} | " for r in rates))
    return "\n".join(lines) + "\n"


def test_running_rates_of_calvin(tmp_path):
    chains = [5, 3, 0, 1, 5, 2, 5]
    path = tmp_path / "success_rate_calvin_step2.txt"
    path.write_text(running_rates(chains, 7))
    found = read(path, Asked(policy="p"))
    assert [value(found, f"sr{k}").k for k in range(1, 6)] == [6, 5, 4, 3, 3]
    assert value(found, "length").value == pytest.approx(3.0)
    assert value(found, "length").n == 7 and found.note == ""
    path.write_text(running_rates(chains, 1000))
    assert read(path, Asked(policy="p")).note == "7 of 1000 chains"
    path.write_text(running_rates(chains, 7) + running_rates(chains, 7))
    with pytest.raises(InvalidFile, match="several processes"):
        read(path, Asked(policy="p"))


def test_chains_of_calvin_by_epoch(tmp_path):
    content = {
        "avg_seq_len": 2.5,
        "chain_sr": {"1": 0.8, "2": 0.6, "3": 0.5, "4": 0.4, "5": 0.2},
        # 10 chains attempt 10 + 8 + 6 + 5 + 4 = 33 subtasks, of which 25 are solved
        "task_info": {"open_drawer": {"success": 15, "total": 20},
                      "stack_block": {"success": 10, "total": 13}},
    }  # fmt: skip
    path = tmp_path / "results_calvin_step_rand-0.json"
    path.write_text(json.dumps({"0": content}))
    found = read(path, Asked(policy="p", suite="calvin_abcd"))
    assert value(found, "sr1").n == 10 and value(found, "sr5").k == 2
    drawer = value(found, task="open_drawer")
    assert (drawer.k, drawer.n, drawer.note) == (15, 20, "of the attempts on this subtask")
    path.write_text(json.dumps({"0": content, "1": content}))
    names = {r.policy for r in read(path, Asked(policy="p")).results}
    assert names == {"p epoch 0", "p epoch 1"}


def test_a_printed_summary(tmp_path):
    path = tmp_path / "eval.log"
    path.write_text(
        "Results for Epoch 0:\nAverage successful sequence length: 4.056\n"
        "Success rates for i instructions in a row:\n"
        "1: 93.5%\n2: 86.4%\n3: 80.7%\n4: 75.8%\n5: 69.3%\n"
    )
    found = read(path, Asked(policy="qwen2.5vl-7b"))
    assert value(found, "length").value == 4.056
    assert value(found, "sr2").value == pytest.approx(0.864) and value(found, "sr2").n is None


@pytest.mark.parametrize(
    ("name", "text", "benchmark", "expected"),
    [
        ("Qwen3-VL-2B-Instruct_MMStar_acc.csv",
         '"split","Overall","math"\n"none","0.583","0.5"\n', "MMStar", 0.583),
        ("Qwen3-VL-2B-Instruct_MMBench_DEV_EN_V11_acc.csv",
         "split,Overall\ndev,0.784\n", "MMBench_DEV_EN_V11 dev", 0.784),
        ("Qwen3-VL-2B-Instruct_HallusionBench_score.csv",
         '"split","aAcc","fAcc","qAcc"\n"Overall","60.0","36.0","33.0"\n"VD","1","2","3"\n',
         "HallusionBench", 0.43),
        ("Qwen3-VL-2B-Instruct_OCRBench_score.json",
         '{"Text Recognition": 250, "Final Score": 858, "Final Score Norm": 85.8}',
         "OCRBench", 0.858),
    ],
)  # fmt: skip
def test_vlmevalkit_tables(tmp_path, name, text, benchmark, expected):
    folder = tmp_path / "Qwen3-VL-2B-Instruct"
    folder.mkdir()
    (folder / name).write_text(text)
    found = read(folder / name)
    (score,) = found.scores
    assert (score.benchmark, score.backbone) == (benchmark, "qwen3vl-2b")
    assert score.value == pytest.approx(expected) and found.format == "vlmevalkit"


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("dataset", ["MMStar", "POPE", "VSR-zeroshot", "TextVQA_VAL"])
def test_what_vlmevalkit_wrote_is_what_its_single_answers_say(side, dataset):
    """The files are the kit's own (`vqa_kits/make.py`): 9 and 5 of 12 questions are right."""
    (path,) = (KITS / side).glob(f"*_{dataset}_[as]c*.csv")
    score = read(path).scores[0]
    right = {"before": 9, "after": 5}[side]
    partly = dataset == "TextVQA_VAL"  # a right answer is worth 0.3 there
    assert score.value == pytest.approx((0.3 if partly else 1) * right / 12)
    assert (score.n, score.k) == (12, None if partly else right)
    assert (score.unit, score.metric, score.benchmark) == ("fraction", "accuracy", dataset)


def test_popes_f1_is_no_accuracy():
    overall, *parts = read(KITS / "before" / "before_POPE_score.csv").scores
    assert (overall.value, overall.note) == (0.75, "F1 76.9")
    assert {(part.benchmark, part.k, part.n) for part in parts} == {
        (f"POPE {name}", 3, 4) for name in ("adversarial", "popular", "random")
    }


def test_mme_adds_its_points():
    (score,) = read(KITS / "before" / "before_MME_score.csv").scores
    assert (score.value, score.unit, score.n) == (950 + 200, "points", 28)
    assert "2800" in score.note


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("m_TextVQA_VAL_acc.csv", '"Overall"\n"0.8"\n', 0.008),  # percent, however small
        ("m_VSR-zeroshot_score.csv", '"acc","f1_score"\n"0.8","0.1"\n', 0.008),
        ("m_MMStar_acc.csv", '"split","Overall"\n"none","0.008"\n', 0.008),
        ("m_MMVP_acc.csv", '"Average","Overall"\n"0.3","0.008"\n', 0.008),
        ("m_TextVQA_VAL_acc.json", '[{"Overall": 0.8}]', 0.008),
    ],
)
def test_the_kind_of_data_set_says_the_unit_and_not_the_size(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    (score,) = read(tmp_path / name, Asked(model="m")).scores
    assert score.value == pytest.approx(expected) and score.unit == "fraction"


def test_a_table_of_fractions_in_percent_is_refused(tmp_path):
    path = tmp_path / "m_MMStar_acc.csv"
    path.write_text("split,Overall\nnone,58.3\n")
    with pytest.raises(InvalidFile, match=r"58\.3 is no fraction"):
        read(path)


def test_lmms_eval_results():
    path = KITS / "ours__before" / "20260101_000000_results.json"
    found = read(path)
    scores = {score.benchmark: score for score in found.scores}
    assert {score.model for score in found.scores} == {"ours/before"}
    pope = scores["pope"]
    assert (pope.metric, pope.value, pope.n, pope.k) == ("pope_accuracy", 0.75, 12, 9)
    assert scores["pope pope_f1_score"].k is None, "F1 counts nothing"
    assert (scores["mme"].value, scores["mme"].unit) == (1500.5, "points")
    assert scores["mme mme_cognition_score"].value == 300.0
    forgotten = scores["mmbench_en_dev"]
    assert (forgotten.metric, forgotten.value) == ("gpt_eval_score", pytest.approx(0.008))
    assert found.provenance["lmms-eval"] == "0.7.3"
    (sampled,) = read(path.with_name("20260101_000000_samples_pope.jsonl")).scores
    assert sampled == pope


def test_a_metric_of_lmms_eval_that_nobody_knows_keeps_its_unit(tmp_path):
    path = tmp_path / "d_results.json"
    results = {"results": {"t": {"wer,none": 0.4, "exact_match,none": 0.5}}, "n-samples": {}}
    path.write_text(json.dumps(results))
    head, other = sorted(read(path, Asked(model="m")).scores, key=lambda s: s.benchmark)
    assert (head.benchmark, head.unit, head.n) == ("t", "fraction", None)
    assert (other.benchmark, other.value, other.unit) == ("t wer", 0.4, "as written")
    results["results"]["t"]["exact_match,none"] = 50.0
    path.write_text(json.dumps(results))
    with pytest.raises(InvalidFile, match="no fraction"):
        read(path)


def test_a_model_with_an_underscore_is_told_by_its_folder(tmp_path):
    folder = tmp_path / "llava_v1.5_7b" / "T20250101_G1234"
    folder.mkdir(parents=True)
    (folder / "llava_v1.5_7b_BLINK_acc.csv").write_text("split,Overall\nval,0.37\n")
    (score,) = read(folder / "llava_v1.5_7b_BLINK_acc.csv").scores
    assert (score.model, score.benchmark) == ("llava_v1.5_7b", "BLINK val")


def test_plain_results(tmp_path):
    path = tmp_path / "ours.csv"
    path.write_text(
        "policy,suite,task,metric,value,unit,n,protocol\n"
        "a,libero_10,all,success,44.4,percent,500,last checkpoint\n"
        "b,calvin_abcd,all,length,3.9,,1000,\n"
        "c,libero_10,,success,0.5,,,\n"
    )
    a, b, c = read(path).results
    assert (a.value, a.k, a.kind, a.protocol) == (0.444, 222, "rate", "last checkpoint")
    assert (b.value, b.kind, b.k) == (3.9, "mean", None)
    assert (c.task, c.n, c.kind) == ("all", None, "rate")


def test_plain_scores_and_our_own_table(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("model,benchmark,value,unit,n\nQwen3-VL-4B-Instruct,mine,67.4,percent,900\n")
    (score,) = read(path).scores
    assert (score.backbone, score.value, score.n) == ("qwen3vl-4b", 0.674, 900)
    assert len(read(shipped("results") / "vqa_scores.csv").scores) == 1363


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "policy,suite,metric,value\np,s,success,high\n", "line 2: value"),
        ("a.csv", "policy,suite,metric,value,unit\np,s,success,120,percent\n", "is no rate"),
        ("a.csv", "policy,suite,metric,value,n,k\np,s,success,0.5,10,12\n", "12 of 10"),
        ("a.csv", "policy,suite,metric,value,colour\np,s,success,0.5,red\n", "colour"),
        ("a.csv", "model,benchmark,value\nm,b,67.4\n", "no fraction"),
        ("a.csv", "x,y\n1,2\n", "no known result file"),
        ("a.json", '{"tasks": 3}', "no known result file"),
        ("a.json", '{"benchmark": "b", "tasks": 3, "harness_version": "0.8.0"}', "tasks"),
        ("a.txt", "all went well\n", "no known result file"),
        ("a.db", "not a database", "no known result file"),
        ("a.xlsx", "", "no known result file"),
    ],
)
def test_mistakes_in_files_are_named(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidFile, match=said) as caught:
        read(tmp_path / name, Asked(policy="p"))
    assert "docs/results.md" in caught.value.fix


def test_mistakes_in_words_are_named(tmp_path):
    with pytest.raises(InvalidFile, match="There is no file"):
        read(tmp_path / "none.csv")
    with pytest.raises(UnknownName, match="vla-eval"):
        read(VLA_EVAL / "collector.json", format="vla_eval")
    with pytest.raises(InvalidFile, match="as csv"):
        read(VLA_EVAL / "collector.json", format="csv")


def test_imports_stay_apart_from_runs(tmp_path):
    path = tmp_path / "bench.db"
    with Store.open(path, create=True) as opened:
        library = opened.library
        source = enter(library, VLA_EVAL / "collector.json", read(VLA_EVAL / "collector.json"))
        assert source is not None and source.kind == "imported"
        again = enter(library, VLA_EVAL / "collector.json", read(VLA_EVAL / "collector.json"))
        assert again is None, "the same file is not entered twice"
        (kept,) = library.sources()
        assert kept.provenance["file says"]["versions"] == ["0.8.0"] and len(kept.sha256) == 64
        assert {r.source for r in library.results()} == {source.id}
    with Store.open(path) as store:
        assert store.runs() == []
    with Store.open(path) as opened:
        library = opened.library
        library.remove(source.id)
        assert library.results() == [] and library.sources() == []
        with pytest.raises(UnknownName):
            library.remove(source.id)


def test_a_store_without_imports_is_left_as_it_is(tmp_path):
    path = tmp_path / "bench.db"
    Store.open(path, create=True).close()
    before = path.read_bytes()
    with Store.open(path) as opened:
        library = opened.library
        assert library.sources() == library.results() == library.scores() == []
    assert path.read_bytes() == before


def test_records_come_back_as_they_went_in(tmp_path):
    result = ImportedResult("p", "s", "t", "m", "rate", 0.25, 8, 2, 1, "q", "note", "id")
    score = Score("m", "b", "MMMU", "accuracy", 0.5, "fraction", 10, 5, 1 / 3, "note", "id")
    source = Source("id", "measured", "premise", "file", "00", "n", {"a": [1, None]})
    with Store.open(tmp_path / "l.db", create=True) as opened:
        library = opened.library
        assert library.add(source, [result], [score])
        assert library.results() == [result] and library.scores() == [score]
        assert library.sources() == [source]


LAB = "checkpoint,backbone,MMBench,MMStar (%)\nstep1,qwen3vl-4b,0.61,41\nstep2,qwen3vl-4b,,0.9\n"


def test_a_labs_table_of_scores_in_the_units_that_it_has(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text(LAB)
    found = read(path)
    assert [(s.model, s.backbone, s.benchmark, s.value, s.unit) for s in found.scores] == [
        ("step1", "qwen3vl-4b", "MMBench", 0.61, "fraction"),
        ("step1", "qwen3vl-4b", "MMStar", 0.41, "fraction"),
        ("step2", "qwen3vl-4b", "MMStar", 0.009, "fraction"),
    ]
    assert found.note == "key column 'checkpoint'; MMBench in fraction; MMStar in percent"
    path.write_text("VLM;AI2D;MME\nQwen3-VL-4B-Instruct;80.5%;2100\nKosmos-2;7%;900\n")
    assert [(s.backbone, s.value, s.unit) for s in read(path).scores] == [
        ("qwen3vl-4b", 0.805, "fraction"), ("kosmos-2", 0.07, "fraction"),
        ("qwen3vl-4b", 2100.0, "points"), ("kosmos-2", 900.0, "points"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policy,AI2D\na,0.7\nb,71\n", "0.7 beside 71, fraction or percent"),
        ("policy,AI2D\na,70%\nb,71\n", "carry a %"),
        ("policy,AI2D\na,70\na,71\n", "line 3: 'a' has a row already"),
        ("policy,AI2D\na,70\nb,much\n", "line 3: AI2D: 'much' is no number"),
        ("policy,AI2D (%)\na,170\n", "is no percent"),
        ("policy,AI2D\na,70,1\n", "line 2: 3 cells under 2 heads"),
        ("model,AI2D\nours,70\n", "add a column 'backbone'"),
        ("model,benchmark,value\nours,AI2D,0.7\n", "add a column 'backbone'"),
        ("policy,note\na,good\n", "no column holds numbers"),
    ],
)
def test_a_labs_table_that_may_be_read_two_ways_is_refused(tmp_path, text, said):
    path = tmp_path / "my.csv"
    path.write_text(text)
    with pytest.raises(InvalidFile, match=re.escape(said)):
        read(path)


def test_percent_has_one_name_in_the_store(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("model,backbone,benchmark,value,unit\na,a,B,60,%\nb,b,B,60,percent\n")
    assert {(one.value, one.unit) for one in read(path).scores} == {(0.6, "fraction")}
