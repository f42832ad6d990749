"""The rank violation of simulated scores, beside SIMPLER's own printed values."""

from __future__ import annotations

import pytest

from vlm4vla.reports.correlation.real import agreements
from vlm4vla.stats.rank_violation import mean_maximum_rank_violation


def test_a_faithful_order_has_none_and_a_reversed_one_the_largest_gaps():
    assert mean_maximum_rank_violation([0.1, 0.2, 0.3], [0.5, 0.6, 0.9]) == 0
    assert mean_maximum_rank_violation([0.3, 0.2, 0.1], [0.5, 0.6, 0.9]) == pytest.approx(
        (0.4 + 0.3 + 0.4) / 3
    )


def test_it_is_not_symmetric():
    one, other = [0.0, 0.0, 1.0], [0.1, 0.5, 0.4]
    assert mean_maximum_rank_violation(one, other) != mean_maximum_rank_violation(other, one)


def test_scores_must_be_of_the_same_policies():
    with pytest.raises(ValueError):
        mean_maximum_rank_violation([0.1], [0.1, 0.2])


def test_simplers_own_coke_can_is_as_it_prints():
    """Table 1 of SIMPLER, visual matching: MMRV 0.031, Pearson's r 0.976."""
    (coke,) = (one for one in agreements() if one.task == "pick_coke_can")
    assert coke.mmrv == pytest.approx(0.031, abs=5e-4)
    assert coke.pearson == pytest.approx(0.976, abs=1.5e-3)
    assert len(coke.policies) == 6
