"""`bench compare` and `bench plan` as a user types them."""

import json
import re

import pytest

from tests.bench import bench as run
from tests.cli.test_read_verbs import bench
from tests.reports.conftest import emoji_run, fill


def mistake(*words):
    return run(*words).refused()


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
    assert said in mistake("compare", *words, "--store", emoji.name)


def test_compare_refuses_different_comparability(store):
    fill(store, emoji_run("one", code="0a1b2c3d"), 24, 24)
    facts = {"simulator": "grinningface", "renderer": "another"}
    fill(store, emoji_run("two", code="1a1b2c3d", comparability=facts), 24, 0)
    text = bench("compare", "one", "two", store=store, code=2)
    assert "renderer" in text and "--allow-different" in text
    told = bench("compare", "one", "two", "--allow-different", store=store)
    assert "not like for like" in " ".join(told.split())


def sequential(*words, store, **settings):
    return bench("compare", *words, "--sequential", "--slots", 2, store=store, **settings)


def test_a_sequential_comparison_stops_when_decided_and_is_marked_everywhere(store, ray_session):
    found = json.loads(sequential("expert", "random", "--suite", "toy", "--json", store=store))
    assert found["winner"] == "first" and "decided after 7 pairs" in found["verdict"]
    head = found["contrasts"][0]
    assert head["decided"] and head["e_value"] >= 20 and head["low"] > 0
    assert found["first"]["status"].startswith("decided ")
    text = bench("leaderboard", store=store)
    assert "decided" in text and "◊" in text and "(100" not in text
    assert " decided" in bench("list", "runs", store=store)
    assert "decided " in bench("show", found["first"]["run"], store=store)
    again = bench("compare", "expert", "random", store=store)
    assert "stopped by a sequential comparison" in " ".join(again.split())
    assert "betting e-process" in again


def test_step_is_the_rule_for_rates_that_are_not_paired(store, ray_session):
    words = ("expert", "random", "--suite", "toy", "--rule", "step", "--task", "near")
    text = sequential(*words, store=store)
    assert "STEP" in text and "expert is better than random in success" in text
    again = json.loads(bench("compare", "expert", "random", "--json", store=store))
    assert again["contrasts"][0]["test"] == "STEP" and again["contrasts"][0]["p"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("expert", "random"), "needs to know where"),
        (("expert", "expert", "--suite", "toy"), "Both sides are the same run"),
        (("expert", "random", "--suite", "tou"), "Did you mean toy"),
        (("expart", "random", "--suite", "toy"), "no policy named 'expart'"),
        (("expert", "random", "--suite", "toy", "--unpaired"), "Drop --unpaired"),
        (("expert", "random", "--suite", "toy", "--metric", "x"), "metric of suite 'toy'"),
        (("expert", "random", "--suite", "toy", "--metric", "distance"), "--bounds"),
    ],
)
def test_a_sequential_comparison_tells_mistakes_before_anything_runs(store, words, said):
    assert said in mistake("compare", *words, "--sequential", "--store", store.name)
    assert store.runs() == []


def test_plan_says_how_many_episodes_a_question_needs(tmp_path):
    text = bench("plan", "--suite", "toy", cwd=tmp_path)
    assert re.search(r"difference of 10 points +other episodes +388", text)
    assert "toy has 20 episodes" in text and "can be shown" in text
    found = json.loads(bench("plan", "--difference", 5, "--discordant", 20, "--json"))
    unpaired, paired = found["needs"]
    assert unpaired["episodes"] == 1565 and paired["episodes"] < 700
    lengths = bench("plan", "--mean", "--difference", 0.1)
    assert "4,019" in lengths and "2,010" in lengths


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--suite", "tou"), "Did you mean toy"),
        (("--precision", "0"), "--precision 0 must be"),
        (("--difference", "60"), "No rate lies 60 points"),
        (("--difference", "10", "--discordant", "5"), "Set --discordant to 10 or more"),
        (("--rate", "120"), "--rate 120 must lie"),
        (("--power", "2"), "--power 2 must lie"),
        (("--mean", "--sd", "0"), "--sd 0 must be positive"),
    ],
)
def test_plan_tells_mistakes(words, said):
    assert said in mistake("plan", *words)


@pytest.mark.grinningface
def test_on_real_rollouts_the_expert_beats_the_one_that_guesses(tmp_path, ray_session):
    """Twelve episodes of the emoji task each, rolled out here."""
    store = ("--store", tmp_path / "bench.db")
    for policy in ("expert", "expert-blind"):
        words = ("--suite", "grinningface_val", "--set", "robot=panda", "--episodes", 12)
        bench("run", "--policy", policy, *words, "--slots", 2, *store)
    found = json.loads(bench("compare", "expert", "expert-blind", "--json", *store))
    assert found["winner"] == "first" and found["contrasts"][0]["n"] == 12
    assert found["contrasts"][0]["p"] < 0.05 and found["contrasts"][0]["low"] > 0
    assert "privileged" in found["first"]["marks"]
