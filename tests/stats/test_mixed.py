"""The mixed logit on simulated episodes whose b1 is known."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from vlm4vla.stats.mixed import Trials, mixed_logit


def simulated(rng, b1=0.8, between=0.7, backbones=9, tasks=4, inits=12, suites=1):
    """Every backbone on every init; its own intercept has the sd `between`."""
    z, size = rng.normal(size=(2, backbones))
    z = (z - z.mean()) / z.std()
    own = between * rng.normal(size=backbones)
    hard, start = 0.7 * rng.normal(size=tasks), 0.7 * rng.normal(size=(tasks, inits))
    b, t, i = (a.ravel() for a in np.indices((backbones, tasks, inits)))
    eta = -0.3 + b1 * z[b] + 0.2 * size[b] + own[b] + hard[t] + start[t, i]
    return Trials(
        success=(rng.random(b.size) < 1 / (1 + np.exp(-eta))).astype(float),
        vqa=40 + 12 * z[b],
        params=np.exp(size)[b],
        backbone=[f"b{x}" for x in b],
        family=[f"f{x // 2}" for x in b],
        suite=[f"s{x % suites}" for x in t],
        task=[f"s{x % suites}:t{x}" for x in t],
        init=[f"t{x}/{y}" for x, y in zip(t, i, strict=True)],
    )


def naive_error(trials):
    """Standard error of b1 of a logit that takes every episode for independent."""
    z = (trials.vqa - trials.vqa.mean()) / trials.vqa.std()
    size = np.log(trials.params)
    return sm.Logit(trials.success, np.column_stack([np.ones_like(z), z, size])).fit(disp=0).bse[1]


def test_intervals_hold_the_truth_where_backbones_vary_and_the_naive_ones_do_not():
    found, naive = [], []
    for seed in range(12):
        trials = simulated(np.random.default_rng(seed))
        found.append(mixed_logit(trials))
        naive.append(naive_error(trials))
    b1 = np.array([one.b1 for one in found])
    assert all(one.converged and one.n == 9 and one.degrees == 6 for one in found)
    assert b1.mean() == pytest.approx(0.8, abs=3 * b1.std() / 12**0.5)
    held = [one.low < 0.8 < one.high for one in found]
    assert sum(held) >= 10, "12 at 95 %: fewer than 10 in one of 50"
    assert sum(abs(b1 - 0.8) < 1.96 * np.array(naive)) <= 8, "an episode-level interval fails"
    reach = np.array([one.high - one.low for one in found]) / 2
    assert np.median(reach / (1.96 * np.array(naive))) > 2.5


def test_many_episodes_of_nine_backbones_are_still_nine_backbones():
    trials = simulated(np.random.default_rng(0), inits=60)
    one = mixed_logit(trials)
    assert (one.n, one.episodes) == (9, 2160)
    assert one.high - one.low > 3 * 2 * 1.96 * naive_error(trials)


def test_backbones_that_do_not_vary_leave_a_narrow_interval_around_the_truth():
    one = mixed_logit(simulated(np.random.default_rng(3), between=0.0, backbones=20, inits=40))
    assert one.low < 0.8 < one.high and one.high - one.low < 0.5
    assert one.spread["backbone"] < 0.25 and one.spread["task"] > 0.3


def test_two_suites_give_the_slope_its_own_spread_and_b1_a_wider_interval():
    trials = simulated(np.random.default_rng(1), suites=2)
    both = mixed_logit(trials)
    one = mixed_logit(replace(trials, suite=["s0"] * len(trials.suite)))
    assert list(both.spread) == ["backbone", "family", "task", "init", "slope by suite"]
    assert "slope by suite" not in one.spread
    assert both.high - both.low > one.high - one.low


def test_what_cannot_be_told_apart_is_left_out():
    trials = simulated(np.random.default_rng(2), tasks=1)
    alone = replace(trials, family=trials.backbone, params=None)
    alone = replace(alone, init=[str(i) for i in range(len(alone.init))])
    found = mixed_logit(alone)
    assert list(found.spread) == ["backbone"]
    assert found.b2 is None and found.degrees == 7


def test_the_unit_of_the_benchmark_does_not_matter():
    trials = simulated(np.random.default_rng(4))
    one, other = mixed_logit(trials), mixed_logit(replace(trials, vqa=trials.vqa / 100))
    assert other.b1 == pytest.approx(one.b1, rel=1e-6)
    first = np.unique(trials.backbone, return_index=True)[1]
    together = np.corrcoef(trials.vqa[first], np.log(trials.params[first]))[0, 1]
    assert one.r_params == pytest.approx(together)
    assert mixed_logit(replace(trials, vqa=-trials.vqa)).b1 == pytest.approx(-one.b1, abs=0.02)


def test_too_few_backbones():
    with pytest.raises(ValueError, match="needs 6 backbones"):
        mixed_logit(simulated(np.random.default_rng(0), backbones=5))
