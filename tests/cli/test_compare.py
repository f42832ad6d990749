"""`bench compare` and `bench plan` as a user types them."""

import json

import pytest

from tests.cli.test_read_verbs import bench
from tests.reports.conftest import emoji_run, fill


def test_compare_prints_difference_interval_test_and_verdict(emoji):
    text = bench("compare", "expert", "expert-blind", store=emoji)
    assert "expert is better than expert-blind in overall, by 66.7 points" in text
    for words in ("+66.7 [+", "McNemar's exact", "differ in   16 of 24", "can show", "expert†"):
        assert words in text, words
    assert all(len(line) <= 100 for line in text.splitlines())


def test_compare_as_json(emoji):
    found = json.loads(bench("compare", "expert", "expert-blind", "--json", store=emoji))
    assert found["winner"] == "first" and "better" in found["verdict"]
    head = found["contrasts"][0]
    assert (head["metric"], head["n"], head["discordant"]) == ("overall", 24, 16)
    assert head["low"] < head["difference"] < head["high"] and head["p"] < 0.001
    assert found["first"]["status"] == "complete" and found["notes"]


def test_compare_shows_tasks_and_marks(emoji):
    text = bench("compare", "my_policy:Mine", "replay", "--by-task", store=emoji)
    assert "incomplete 12/24" in text and "ended in an error" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("expart", "random"), "Did you mean expert"),
        (("expert", "expert"), "Both names mean run"),
        (("expert", "random", "--alpha", "2"), "--alpha 2 must lie"),
        (("expert", "random", "--metric", "x"), "There is no metric of both runs"),
    ],
)
def test_compare_tells_mistakes(emoji, words, said):
    assert said in bench("compare", *words, store=emoji, code=2)


def test_compare_refuses_different_comparability(store):
    fill(store, emoji_run("one", code="0a1b2c3d"), 24, 24)
    facts = {"simulator": "grinningface", "renderer": "another"}
    fill(store, emoji_run("two", code="1a1b2c3d", comparability=facts), 24, 0)
    text = bench("compare", "one", "two", store=store, code=2)
    assert "renderer" in text and "--allow-different" in text
    told = bench("compare", "one", "two", "--allow-different", store=store)
    assert "not like for like" in " ".join(told.split())


@pytest.mark.grinningface
def test_on_real_rollouts_the_expert_beats_the_one_that_guesses(tmp_path):
    """Twelve episodes of the emoji task each, rolled out here."""
    store = ("--store", tmp_path / "bench.db")
    for policy in ("expert", "expert-blind"):
        words = ("--suite", "grinningface_val", "--set", "robot=panda", "--episodes", 12)
        bench("run", "--policy", policy, *words, "--slots", 2, *store, timeout=300)
    found = json.loads(bench("compare", "expert", "expert-blind", "--json", *store))
    assert found["winner"] == "first" and found["contrasts"][0]["n"] == 12
    assert found["contrasts"][0]["p"] < 0.05 and found["contrasts"][0]["low"] > 0
    assert "privileged" in found["first"]["marks"]
