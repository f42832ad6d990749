"""`bench correlate --mixed` on a store of one's own."""

import json

import numpy as np
import pytest

from tests.bench import bench
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput, MissingDependency
from vlm4vla.core.result import EpisodeResult, Metric, Outcome
from vlm4vla.reports.correlation.mixed import check, mixed_model
from vlm4vla.stats.mixed import Trials
from vlm4vla.store import RunRecord, Store
from vlm4vla.store.library import Score, Source

METRICS = (Metric(name="success", kind="rate", of="success", headline=True),)
SOLVED = {
    "kosmos-2": 9, "paligemma-1": 5, "qwen3vl-2b": 4, "qwen3vl-4b": 12,
    "qwen3vl-8b": 3, "qwen2.5vl-7b": 10, "paligemma-2": 6,
}  # fmt: skip
BY_SIZE = dict(zip(
    ("kosmos-2", "qwen3vl-2b", "paligemma-1", "paligemma-2", "qwen3vl-4b", "qwen2.5vl-7b"),
    (3, 4, 5, 6, 9, 10),
    strict=True,
))  # fmt: skip


def own(path, solved):
    """Toy episodes of each policy, better ones solving more, and scores in the same order."""
    with Store.open(path, create=True) as store:
        for policy, inits in solved.items():
            plan = tuple(EpisodeKey("toy", task, i) for task in ("near", "far") for i in range(16))
            store.begin(RunRecord(f"toy-{policy}", policy, "toy", "toy", plan, METRICS))
            for key in plan:
                # Not the same inits for all, or the better policy would win without exception.
                outcome = (5 * key.init + len(policy)) % 16 < inits
                result = Outcome.SUCCESS if outcome else Outcome.FAILURE
                store.record(f"toy-{policy}", EpisodeResult(key, result))
    with Store.open(path, create=True) as opened:
        library = opened.library
        scores = [Score(n, n, "my VQA", "accuracy", k / 20, n=100) for n, k in solved.items()]
        library.add(Source("s1", "imported", "csv", "scores.csv", "00"), scores=scores)
    return path


def first(number):
    return dict(list(SOLVED.items())[:number])


def correlate(*words):
    done = bench("correlate", *words)
    assert done.code == 0, done.err
    return done.out


def test_output_counts_backbones_and_has_no_p_of_episodes(tmp_path):
    path = own(tmp_path / "bench.db", SOLVED)
    words = ("--vqa", "my VQA", "--mixed", "--store", path)
    text = correlate(*words)
    said = " ".join(text[text.index("Mixed logit") :].split())
    assert "effective n = 7 backbones (4 degrees of freedom), not the 224 episodes" in said
    assert " p = " not in said
    assert all(len(line) <= 100 for line in text.splitlines())
    found = json.loads(correlate(*words, "--json"))
    (model,) = found["mixed"]
    slope = model["slope"]
    assert found["correlations"][0]["n"] == slope["n"] == 7 and slope["episodes"] == 224
    assert 0 < slope["low"] < slope["b1"] < slope["high"]
    assert f"b1 = {slope['b1']:.2f}, 95 % [{slope['low']:.2f}, {slope['high']:.2f}]" in said
    assert isinstance(json.loads(correlate(*words[:2], *words[3:], "--json")), list)


def test_score_and_size_that_go_together_are_told(tmp_path):
    with Store.open(own(tmp_path / "bench.db", BY_SIZE)) as store:
        found = mixed_model("my VQA", store)
    assert any("go together (r = 0.9" in note for note in found.notes)
    assert found.slope.low < 0 < found.slope.high, "though the scores alone order all six"


def test_a_backbone_of_unknown_size_drops_the_term_and_is_named(tmp_path):
    path = own(tmp_path / "bench.db", SOLVED)
    with Store.open(path) as opened:
        library = opened.library
        source = Source("s2", "imported", "csv", "mine.csv", "01")
        library.add(source, scores=[Score("m", "mine", "my VQA", "accuracy", 0.2)])
    with Store.open(path) as store:
        found = mixed_model("my VQA", store, named={"kosmos-2": "mine"})
    assert found.slope.b2 is None and found.slope.degrees == 5
    assert any("unknown of mine" in note for note in found.notes)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--published", "--vqa", "MMStar"), "published tables hold no episodes"),
        (("--screen",), "--screen names none"),
        (("--vqa", "my VQA"), "4 backbones with episodes are too few"),
    ],
)
def test_refusals(tmp_path, words, said):
    path = own(tmp_path / "bench.db", first(4))
    bench("correlate", *words, "--mixed", "--store", path).refused(said)


def test_no_episodes_of_the_benchmarks_backbones(tmp_path):
    path = own(tmp_path / "bench.db", first(1))
    with Store.open(path) as store, pytest.raises(BadInput, match="no episodes of a complete run"):
        mixed_model("my VQA", store, named={"kosmos-2": "unheard-of"})


def test_what_cannot_be_fitted_is_refused_first(monkeypatch):
    def trials(success=(0.0, 1.0), vqa=(1, 2, 3, 4, 5, 6)):
        names = [f"b{i // 2}" for i in range(12)]
        scores = np.repeat(np.array(vqa, float), 2)
        return Trials(np.tile(success, 6), scores, None, names, names, *[["x"] * 12] * 3)

    check(trials())
    with pytest.raises(BadInput, match="same score"):
        check(trials(vqa=[0.1] * 6))
    with pytest.raises(BadInput, match="ended alike"):
        check(trials(success=(0.0, 0.0)))
    monkeypatch.setattr("vlm4vla.reports.correlation.mixed.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"vlm4vla\[mixed\]"):
        check(trials())
