import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from vlm4vla.stats.multiplicity import benjamini_hochberg, holm, letters

PS = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@settings(max_examples=20)
@given(PS)
def test_adjusted_p_values_are_statsmodels(p):
    assert np.allclose(holm(p), multipletests(p, method="holm")[1])
    assert np.allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1])


def test_calvin_alone_survives_holm_over_the_three_suites():
    """The published r of VLM4VLA's Fig. 3: p = .005, .35 and .62."""
    assert (holm([0.35, 0.005, 0.62]) < 0.05).tolist() == [False, True, False]
    assert holm([0.005, 0.35, 0.62])[0] == pytest.approx(0.015)


MATRICES = st.integers(1, 7).flatmap(
    lambda m: st.lists(st.booleans(), min_size=m * m, max_size=m * m).map(
        lambda bits: np.triu(np.reshape(bits, (m, m)), 1)
    )
)


@given(MATRICES)
def test_a_letter_is_shared_by_exactly_those_that_cannot_be_told_apart(upper):
    told = upper | upper.T
    found = letters(told)
    for i in range(len(told)):
        for j in range(len(told)):
            if i != j:
                assert bool(set(found[i]) & set(found[j])) == (not told[i, j])
    assert found[0].startswith("a")


def test_letters_of_a_chain():
    """The first differs from the third, and neither from the second."""
    told = np.zeros((3, 3), bool)
    told[0, 2] = told[2, 0] = True
    assert letters(told) == ["a", "ab", "b"]
    assert letters(np.zeros((2, 2), bool)) == ["a", "a"]


def test_impossible_input_is_refused():
    for act in (lambda: holm([2.0]), lambda: letters([[0, 1], [0, 0]])):
        with pytest.raises(ValueError, match=r"\."):
            act()
