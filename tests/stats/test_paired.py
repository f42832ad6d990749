from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as theirs
from statsmodels.stats.proportion import confint_proportions_2indep

from vlm4vla.stats.paired import PairedCounts, mcnemar, newcombe, sign_flip, stratified_newcombe

CELLS = st.tuples(*[st.integers(0, 30)] * 4).filter(lambda cells: sum(cells) > 0)


def test_outcomes_are_counted():
    table = PairedCounts.of([1, 1, 0, 0, 1], [1, 0, 1, 0, 0])
    assert table == PairedCounts(1, 2, 1, 1)
    assert (table.n, table.discordant, table.difference) == (5, 3, 0.2)
    with pytest.raises(ValueError, match="true or false"):
        PairedCounts.of([0.5], [1])
    with pytest.raises(ValueError, match="same episodes"):
        PairedCounts.of([1, 0], [1])


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_statsmodels_exact_one(b, c):
    expected = theirs([[5, b], [c, 7]], exact=True).pvalue
    assert float(mcnemar(b, c)) == pytest.approx(min(1.0, expected))


def test_mid_p_takes_half_of_the_observed_table_away():
    """Fagerland et al. 2013: p(mid) = p(exact) - P(b), of a binomial with b + c trials."""
    for b, c in [(1, 6), (0, 5), (3, 3), (10, 20)]:
        exact = min(1.0, float(theirs([[0, b], [c, 0]], exact=True).pvalue))
        expected = 1.0 if b == c else exact - stats.binom.pmf(b, b + c, 0.5)
        assert float(mcnemar(b, c, mid=True)) == pytest.approx(expected)
    assert mcnemar([0, 6], [0, 0]).tolist() == pytest.approx([1.0, 2 * 0.5**6])


@given(CELLS)
def test_without_correlation_newcombes_interval_is_that_of_two_samples(cells):
    """phi = 0 leaves his hybrid score interval for independent rates, which statsmodels has."""
    table = PairedCounts(*cells)
    a, b, c, d = cells
    if 0 <= a * d - b * c <= table.n / 2:  # corrected for continuity to nothing
        ours = newcombe(table)
        low, high = confint_proportions_2indep(a + b, table.n, a + c, table.n, method="newcomb")
        assert (ours.low, ours.high) == (pytest.approx(low), pytest.approx(high))


def test_newcombes_paired_interval_is_the_published_one():
    """Airway hyper-responsiveness of Bentur et al. 2009, as tabulated by Fagerland, Lydersen &
    Laake (2014, Stat. Med. 33, 2850-2875): -0.507 to -0.026."""
    found = newcombe(PairedCounts(1, 1, 7, 12))
    assert (round(found.low, 3), round(found.high, 3)) == (-0.507, -0.026)


@pytest.mark.parametrize(
    ("n", "chances"),
    [(24, (0.5, 0.2, 0.1, 0.2)), (50, (0.3, 0.1, 0.1, 0.5)), (40, (0.85, 0.02, 0.08, 0.05))],
)
def test_newcombes_paired_interval_covers(n, chances):
    rng = np.random.default_rng(5)
    truth, hits = chances[1] - chances[2], 0
    for cells in rng.multinomial(n, chances, size=2000):
        found = newcombe(PairedCounts(*map(int, cells)))
        hits += found.low <= truth <= found.high
    assert 0.94 <= hits / 2000 <= 0.99  # wide where differing pairs are few


@given(CELLS)
def test_the_interval_holds_the_difference_and_turns_with_the_pair(cells):
    a, b, c, d = cells
    one, other = newcombe(PairedCounts(a, b, c, d)), newcombe(PairedCounts(a, c, b, d))
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))


def test_pairs_that_agree_make_the_interval_narrower():
    alike, unlike = newcombe(PairedCounts(40, 12, 4, 44)), newcombe(PairedCounts(24, 28, 20, 28))
    assert alike.value == unlike.value == 0.08
    assert alike.high - alike.low < 0.75 * (unlike.high - unlike.low)


def test_tasks_weigh_the_same():
    tables = [PairedCounts(0, 10, 0, 0), PairedCounts(20, 0, 0, 70)]
    found = stratified_newcombe(tables)
    assert found.value == 0.5 and found.low < 0.5 < found.high
    one = newcombe(tables[1])
    assert stratified_newcombe(tables[1:]) == one
    with pytest.raises(ValueError, match="each task"):
        stratified_newcombe([PairedCounts(0, 0, 0, 0)])


@settings(max_examples=40)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_sign_flips_are_all_counted(differences):
    d = np.array(differences, dtype=float)
    patterns = np.array(list(product((-1, 1), repeat=d.size)))
    expected = np.mean(np.abs(patterns @ d) >= abs(d.sum()) - 1e-9)
    assert sign_flip([d], np.random.default_rng(0)) == (pytest.approx(expected), True)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 20))
def test_for_outcomes_sign_flips_are_mcnemars_test(b, c, ties):
    d = np.repeat([1.0, -1.0, 0.0], [b, c, ties])
    if d.size:
        p, exact = sign_flip([d], np.random.default_rng(0))
        assert exact and p == pytest.approx(float(mcnemar(b, c)))


def test_many_sign_flips_agree_with_scipys_permutation_test():
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 6, 60), rng.integers(0, 5, 60)
    p, exact = sign_flip([first - second], rng, 200_000)
    other = stats.permutation_test(
        (first, second), lambda a, b: np.mean(a) - np.mean(b), permutation_type="samples",
        n_resamples=20_000, rng=rng,
    ).pvalue  # fmt: skip
    assert not exact and p == pytest.approx(other, abs=0.01)


def test_sign_flips_weigh_tasks_the_same():
    """One pair of a task of one against one pair in each of ten: brute force over 2^3 patterns."""
    tasks = [[1.0], [-1.0] + [0.0] * 9, [-1.0] + [0.0] * 9]
    patterns = np.array(list(product((-1, 1), repeat=3)))
    expected = np.mean(np.abs(patterns @ [1, 0.1, 0.1]) >= 0.8 - 1e-9)
    assert sign_flip(tasks, np.random.default_rng(0)) == (pytest.approx(expected), True)
    assert sign_flip([[0.0, 0.0]], np.random.default_rng(0)) == (1.0, True)
