"""Two runs set against each other: which episodes, which test, which words."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.reports.conftest import FACTS, emoji_result, emoji_run, fill, quarantined
from vlm4vla import compare
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.result import EpisodeResult, Metric, Outcome
from vlm4vla.reports.compare.comparison import comparison as compared
from vlm4vla.reports.compare.comparison import details
from vlm4vla.reports.compare.contrast import Terms
from vlm4vla.reports.scores import rows_of
from vlm4vla.stats.sequential import confidence_sequence
from vlm4vla.store import RunStatus

MEAN = (Metric(name="average_length", kind="mean", of="length", headline=True),)


def lot_order(plan):
    return sorted(plan, key=lambda key: key.lot)


def comparison(store, first, second, suite=None, **terms):
    return compared(store, first, second, suite, Terms(**terms))


def test_seeing_is_better_than_guessing(emoji):
    found = comparison(emoji, "expert", "expert-blind")
    head = found.headline
    assert (head.metric, head.n, head.first_only, head.second_only) == ("overall", 24, 16, 0)
    assert head.difference == pytest.approx(16 / 24) and 0 < head.low < head.high
    assert head.p == pytest.approx(stats.binomtest(0, 16, 0.5).pvalue) and head.p_mid < head.p
    assert found.winner == "first"
    assert found.verdict.startswith(
        "expert is better than expert-blind in overall, by 66.7 points on 24 episodes"
    )
    turned = comparison(emoji, "expert-blind", "expert")
    assert turned.winner == "second" and turned.headline.high == pytest.approx(-head.low)
    execution = found.contrasts[1]
    assert (execution.metric, execution.difference, execution.p) == ("execution", 0.0, 1.0)
    assert any("reads the simulator's state" in note for note in found.notes)


def test_too_few_episodes_say_how_many_would_do(store):
    fill(store, emoji_run("one", code="0a1b2c3d"), 24, 14)
    fill(store, emoji_run("two", code="1a1b2c3d"), 24, 12)
    found = comparison(store, "one", "two")
    assert found.winner == "none" and found.headline.more > 50
    text = found.verdict
    assert text.startswith("Not separable with 24 episodes; about ") and "more would do" in text
    assert "8.3 points" in text and "So many can show" in text


def test_the_same_scores_and_equivalence(store):
    for name, code in (("one", "0"), ("two", "1")):
        fill(store, emoji_run(name, 200, code=f"{code}a1b2c3d"), 200, 180)
    found = comparison(store, "one", "two")
    assert "both score the same" in found.verdict and found.headline.more is None
    equal = comparison(store, "one", "two", margin=5.0)
    assert equal.winner == "equivalent" and equal.headline.p_equivalent < 0.05
    assert "equivalent in overall within 5.0 points" in equal.verdict
    assert comparison(store, "one", "two", margin=0.5).winner == "none"


def test_only_identical_episodes_are_paired(store):
    fill(store, emoji_run("one", 24, code="0a1b2c3d"), 24, 24)
    fill(store, emoji_run("two", 40, code="1a1b2c3d"), 40, 0)
    found = comparison(store, "one", "two")
    assert found.headline.n == found.headline.discordant == 24
    assert any("Only the 24 episodes that both runs finished" in note for note in found.notes)
    far = tuple(EpisodeKey("grinningface_val", "place", i) for i in range(100, 124))
    fill(store, emoji_run("three", plan=far, code="2a1b2c3d"), 24, 0)
    with pytest.raises(BadInput, match="no finished episode in common"):
        comparison(store, "one", "three")
    apart = comparison(store, "one", "three", unpaired=True)
    assert apart.headline.test == "Boschloo's exact" and apart.winner == "first"
    assert apart.headline.discordant is None and "on 24 episodes of each" in apart.verdict


def test_errors_are_left_out_and_bound_the_difference(emoji):
    """my_policy: 12 executed, 6 of them right, 8 failed, 4 quarantined."""
    found = comparison(emoji, "expert", "my_policy:Mine")
    head = found.headline
    assert head.n == 20 and head.difference == pytest.approx(14 / 20)
    assert (head.bound_low, head.bound_high) == (pytest.approx(14 / 24), pytest.approx(18 / 24))
    assert any("4 episodes ended in an error" in note for note in found.notes)
    assert any("within +58.3 points to +75.0 points" in note for note in found.notes)


def test_errors_that_could_turn_the_verdict_are_named(store):
    fill(store, emoji_run("one", 24, code="0a1b2c3d"), 24, 10)
    other = emoji_run("two", 24, code="1a1b2c3d")
    store.begin(other)
    for i, key in enumerate(other.plan):
        wrong = quarantined(key) if i >= 10 else emoji_result(key, True, False)
        store.record(other.id, wrong)
    found = comparison(store, "one", "two")
    assert found.winner == "first" and "could turn this round" in found.verdict


def test_recognition_is_compared_where_both_executed(store):
    fill(store, emoji_run("one", code="0a1b2c3d"), 20, 15)
    fill(store, emoji_run("two", code="1a1b2c3d"), 12, 3)
    found = comparison(store, "one", "two", metric="recognition")
    assert (found.headline.metric, found.headline.n) == ("recognition", 12)
    assert found.headline.difference == pytest.approx(9 / 12)
    assert any("12 episodes where both runs have executed" in note for note in found.notes)


def test_incomplete_runs_are_marked(emoji):
    found = comparison(emoji, "expert", "replay")
    assert any("incomplete 12/24: what is said here may change" in note for note in found.notes)
    assert found.second.status == "incomplete 12/24"


def test_different_comparability_is_refused_unless_asked_for(store):
    fill(store, emoji_run("one", code="0a1b2c3d"), 24, 24)
    facts = {"simulator": "grinningface", "renderer": "lavapipe 26.0", "sapien": "3.0.3"}
    fill(store, emoji_run("two", code="1a1b2c3d", comparability=facts), 24, 0)
    with pytest.raises(BadInput, match=r"renderer \(lavapipe 25.0 / lavapipe 26.0\)"):
        comparison(store, "one", "two")
    found = comparison(store, "one", "two", allow_different=True)
    assert "not like for like" in found.notes[0]


def test_mistakes_are_told(emoji, store):
    for act, kind, words in [
        (lambda: comparison(emoji, "expart", "random"), UnknownName, "Did you mean expert"),
        (lambda: comparison(emoji, "expert", "expert"), BadInput, "Both names mean run"),
        (lambda: comparison(emoji, "expert", "random", metric="x"), UnknownName, "metric"),
        (lambda: comparison(emoji, "expert", "random", suite="x"), UnknownName, "suite"),
        (lambda: comparison(emoji, "expert", "random", alpha=5.0), OutOfRange, "--alpha"),
        (lambda: comparison(emoji, "expert", "random", margin=0.0), OutOfRange, "--margin"),
    ]:
        with pytest.raises(kind, match=words):
            act()
    plan = tuple(EpisodeKey("toy", "near", i) for i in range(3))
    fill(store, emoji_run("random", id="toy-random", suite="toy", plan=plan), 3, 3)
    with pytest.raises(BadInput, match="is of suite"):
        comparison(store, "toy-random", "0a1b2c3d")
    with pytest.raises(BadInput, match="has runs of grinningface_val, toy"):
        comparison(store, "random", "expert")
    assert comparison(store, "random", "expert", suite="grinningface_val").suite != "toy"


def lengths(store, name, values, planned=None):
    keys = [EpisodeKey("calvin", "chain", i) for i in range(planned or len(values))]
    run = emoji_run(name, id=f"calvin-{name}", suite="calvin", plan=tuple(keys), metrics=MEAN)
    store.begin(run)
    for key, value in zip(lot_order(keys), values, strict=False):
        outcome = Outcome.SUCCESS if value == 5 else Outcome.FAILURE
        store.record(run.id, EpisodeResult(key, outcome, measures={"length": float(value)}))
    return run.id


def test_average_lengths_are_compared_by_paired_permutation_and_bootstrap(store):
    rng = np.random.default_rng(0)
    base = rng.integers(0, 6, 200)
    one = lengths(store, "one", np.clip(base + (rng.random(200) < 0.3), 0, 5))
    two = lengths(store, "two", base)
    found = comparison(store, one, two)
    head = found.headline
    assert head.test == "paired permutation" and head.interval == "BCa bootstrap of pairs"
    theirs = stats.permutation_test(
        (np.clip(base + 0, 0, 5), base), lambda a, b: np.mean(a) - np.mean(b),
        permutation_type="samples", n_resamples=99,
    )  # fmt: skip
    assert theirs.pvalue == 1.0 and head.p < 0.001
    assert found.winner == "first" and "average_length, by 0." in found.verdict
    again = comparison(store, two, lengths(store, "three", rng.permutation(base)))
    assert again.winner == "none" and again.headline.detectable > 0.2
    apart = comparison(store, one, two, unpaired=True)
    assert apart.headline.test == "permutation" and apart.headline.p > head.p


def test_tasks_weigh_the_same_and_are_adjusted_by_holm(store):
    plan = tuple(EpisodeKey("s", task, i) for task, n in (("a", 10), ("b", 40)) for i in range(n))
    runs = [emoji_run(p, id=p, suite="s", plan=plan) for p in ("one", "two")]
    for run in runs:
        store.begin(run)
        for key in plan:
            store.record(run.id, emoji_result(key, True, run.policy == "one" and key.task == "a"))
    found = comparison(store, "one", "two")
    assert found.headline.difference == pytest.approx(0.5)
    assert found.headline.test == "sign-flip permutation" and found.headline.p < 0.01
    a, b = found.by_task
    assert (a.task, a.difference, b.difference, b.p) == ("a", 1.0, 0.0, 1.0)
    assert a.p_adjusted == pytest.approx(2 * a.p) and a.p == pytest.approx(2 * 0.5**10)


def test_runs_stopped_by_a_rule_keep_an_interval_that_allows_for_it(store):
    """The first 12 of 24 in the order of the rule: no fixed-size test, and no bare number."""
    for name, code, right in (("one", "0", True), ("two", "1", False)):
        run = emoji_run(name, code=f"{code}a1b2c3d")
        store.begin(run)
        for key in lot_order(run.plan)[:12]:
            store.record(run.id, emoji_result(key, True, right))
        store.decide(run.id, {"rule": "betting", "against": "the other"})
    found = comparison(store, "one", "two")
    head = found.headline
    assert (head.test, head.n, head.discordant) == ("betting e-process", 7, 7)
    assert head.e_value >= 20 and head.p <= 0.05 and 0 < head.low < head.high
    assert found.winner == "first"
    assert any("stopped by a sequential comparison (decided 12/24)" in n for n in found.notes)
    record = store.run("0a1b2c3d")
    assert record.status is RunStatus.DECIDED and record.decision["rule"] == "betting"
    row = rows_of(record, store.episodes(record.id))[0]
    assert row.status == "decided 12/24" and row.decided and not row.complete
    fixed = replace(record, plan=tuple(lot_order(record.plan)[:12]))
    assert row.low < rows_of(fixed, store.episodes(record.id))[0].low  # wider: stopping is paid
    with pytest.raises(BadInput, match="pair by pair"):
        comparison(store, "one", "two", unpaired=True)


def stopped_lengths(store, **facts):
    base = np.random.default_rng(1).integers(0, 4, 40)
    for name, values in (("one", base + 2), ("two", base)):
        run = lengths(store, name, values, planned=60)
        store.decide(run, {"rule": "betting", "metric": "average_length", **facts})


def test_a_mean_that_a_rule_stopped_is_compared_over_the_span_that_was_bet_on(store):
    stopped_lengths(store, span=5.0)
    found = comparison(store, "one", "two")
    head = found.headline
    assert head.test == "betting e-process" and head.decided and found.winner == "first"
    assert 0 < head.low < head.difference < head.high < 5


def test_a_span_that_was_not_stored_is_asked_for(store):
    stopped_lengths(store)
    with pytest.raises(BadInput, match="further apart than 1"):
        comparison(store, "one", "two")


def test_from_python_a_frame(emoji):
    table = compare("expert", "expert-blind", store=emoji)
    assert table.metric.tolist()[0] == "overall" and table.discordant[0] == 16
    assert "better" in table.attrs["verdict"] and table.attrs["notes"]
    assert set(table.first_run) == {"grinningface_val-expert-0a1b2c3d"}


@pytest.mark.parametrize(
    ("checkpoints", "said"),
    [
        (("5f5f", "6a6a"), True),
        (("5f5f", "code 123"), False),
        (("run toy-1", "run toy-2"), False),
        (("", ""), False),
    ],
)
def test_one_checkpoint_each_is_said_in_the_verdict(store, checkpoints, said):
    for name, solved, checkpoint in zip(("one", "two"), (24, 2), checkpoints, strict=True):
        fill(store, emoji_run(name, checkpoint=checkpoint), 24, solved)
    found = compared(store, "one", "two")
    assert found.verdict.endswith("a comparison of checkpoints, not of methods.") is said
    assert not any("checkpoints" in note for note in found.notes), "once is enough"


def began(store, run, digests):
    """A run whose episodes have these digests; the even ones succeed."""
    store.begin(run)
    for key, digest in zip(run.plan, digests, strict=True):
        store.record(run.id, emoji_result(key, True, key.init % 2 == 0, digest=digest))


def test_only_episodes_that_began_alike_are_paired(store):
    for code, digests in (("0", "abcd"), ("1", "abxx"), ("2", "wxyz")):
        began(store, emoji_run(f"p{code}", 4, code=f"{code}a1b2c3d"), digests)
    found = comparison(store, "p0", "p1")
    assert (found.headline.n, found.by_name) == (2, 0)
    assert found.notes[0] == "2 episodes of equal name began differently in the two runs: left out."
    with pytest.raises(BadInput, match="another task, instruction or initial state"):
        comparison(store, "p0", "p2")
    assert comparison(store, "p0", "p2", unpaired=True).headline.n == 4
    control = emoji_run("p3", 4, code="3a1b2c3d", comparability={**FACTS, "contrast": "protocol"})
    began(store, control, "wxyz")
    assert comparison(store, "p0", "p3").headline.n == 4  # it differs on purpose


def test_rows_that_do_not_tell_are_paired_by_name_and_said_to_be(emoji):
    found = comparison(emoji, "expert", "expert-blind")
    assert (found.headline.n, found.by_name) == (24, 24)
    assert found.remarks[-1].startswith("24 pairs identical by name alone")
    assert found.remarks[:-1] == found.notes


def test_suites_of_one_name_with_other_episodes_are_not_compared(store):
    for code in "01":
        facts = {**FACTS, "episodes": f"digest {code}"}
        fill(store, emoji_run(f"p{code}", 4, code=f"{code}a1b2c3d", comparability=facts), 4, 4)
    with pytest.raises(BadInput, match=r"differ in episodes \(digest 0 / digest 1\)"):
        comparison(store, "p0", "p1")


def test_where_interval_and_test_disagree_the_test_decides(store):
    fill(store, emoji_run("one", 4, code="0a1b2c3d"), 4, 4)
    fill(store, emoji_run("two", 4, code="1a1b2c3d"), 4, 1)
    found = comparison(store, "one", "two")
    assert found.headline.p == 0.25 and found.headline.low > 0 and found.winner == "none"
    assert details(found.headline, 0.05)["decides"].startswith("the test;")
    fill(store, emoji_run("three", code="2a1b2c3d"), 24, 24)
    fill(store, emoji_run("four", code="3a1b2c3d"), 24, 8)
    assert "decides" not in details(comparison(store, "three", "four").headline, 0.05)


def test_a_stopped_average_length_has_the_betting_limits(store):
    """The asymptotic ones of seven perfect chains are a point."""
    metric = Metric(name="average_length", kind="mean", of="solved", headline=True)
    run = emoji_run("a", 24, metrics=(metric,))
    store.begin(run)
    for key in run.plan[:7]:
        stages = {f"solved_{k}": True for k in range(1, 6)}
        result = EpisodeResult(key, Outcome.SUCCESS, stages=stages, measures={"solved": 5.0})
        store.record(run.id, result)
    store.decide(run.id, {"rule": "betting"})
    (row, *_) = rows_of(store.run(run.id), store.episodes(run.id))
    assert row.decided and (row.value, row.high) == (5.0, 5.0)
    assert (row.low, row.high) == confidence_sequence([5.0] * 7, 0, 5) and row.low < 4
