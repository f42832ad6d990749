import numpy as np
import pytest
from scipy import special

from vlm4vla.stats import rules
from vlm4vla.stats.rules import Betting, Step


def outcomes(rng, rates, n):
    return [tuple(map(float, pair)) for pair in rng.random((n, 2)) < rates]


def stopped(rule, pairs):
    """Pairs after which it decided, or None."""
    return next((n for n in range(1, len(pairs) + 1) if rule.decided(pairs[:n])), None)


def test_betting_reaches_its_level_with_the_beta_mixture():
    pairs = [(1.0, 0.0)] * 9 + [(0.0, 1.0)] * 2 + [(1.0, 1.0)] * 5
    expected = 11 * np.log(2) + special.betaln(9.5, 2.5) - special.betaln(0.5, 0.5)
    assert Betting().log_e(pairs) == pytest.approx(expected)
    assert Betting().log_e([]) == 0 and not Betting().decided([])
    assert stopped(Betting(), [(1.0, 0.0)] * 10) == 7
    assert stopped(Betting(0.01), [(1.0, 0.0)] * 12) == 10
    stake = np.cos(np.linspace(0, np.pi, 20_001))  # of differences of 3 in a span of 5
    wealth = [np.mean((1 + 3 * stake / 5) ** n) for n in range(41)]
    first = next(n for n, value in enumerate(wealth) if value >= 20)
    assert stopped(Betting(0.05, 5.0), [(4.0, 1.0)] * 40) == first


def test_step_decides_sooner_or_later_for_the_better_one():
    rng = np.random.default_rng(0)
    for rates, winner in (((0.9, 0.1), 1), ((0.1, 0.9), -1)):
        rule, pairs = Step(50), outcomes(rng, rates, 50)
        n = stopped(rule, pairs)
        assert n is not None and n < 30 and rule.winner(pairs) == winner
    same = Step(50)
    assert stopped(same, [(1.0, 1.0), (0.0, 0.0)] * 25) is None
    assert same.facts() == {"rule": "STEP", "alpha": 0.05, "largest": 50}


def test_step_gives_the_same_decision_for_the_same_outcomes():
    pairs = outcomes(np.random.default_rng(5), (0.7, 0.4), 50)
    assert len({stopped(Step(50), pairs) for _ in range(3)}) == 1


def test_step_keeps_its_level_at_equal_rates():
    """400 comparisons of equals, 50 pairs each, looked at after every one: 5 % and its noise."""
    rng = np.random.default_rng(1)
    wrong = sum(Step(50).winner(outcomes(rng, (0.5, 0.5), 50)) != 0 for _ in range(400))
    assert wrong / 400 <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 400)


def test_step_has_its_limits(monkeypatch):
    with pytest.raises(ValueError, match="1 to 500"):
        Step(501)
    monkeypatch.setattr(rules, "installed", lambda: False)
    with pytest.raises(ModuleNotFoundError):
        Step(50)
