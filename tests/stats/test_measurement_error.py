import numpy as np
import pytest
from scipy import stats

from vlm4vla.stats.correlation import pearson
from vlm4vla.stats.measurement_error import (
    deming,
    disattenuated,
    noise_spread,
    reliability,
    simex,
)

RNG = np.random.default_rng(0)


def data(n=4000, x_error=0.6, y_error=0.5, rho=0.8):
    x, e = RNG.normal(size=(2, n))
    y = rho * x + np.sqrt(1 - rho**2) * e
    return x + x_error * RNG.normal(size=n), y + y_error * RNG.normal(size=n)


def test_noise_pulls_down_what_is_put_right():
    x, y = data()
    assert pearson(x, y) < 0.65
    assert reliability(x, 0.6) == pytest.approx(1 / 1.36, abs=0.03)
    assert disattenuated(x, y, 0.6, 0.5) == pytest.approx(0.8, abs=0.03)
    assert disattenuated([1, 2, 3], [1, 2, 4], 5.0, 0.0) is None
    assert disattenuated([1, 2, 3], [2, 2, 2], 0.1, 0.1) is None and reliability([2, 2], 0.0) == 0


def test_simex_follows_the_trend_back():
    x, y = data(200)
    found = simex(x, y, 0.6, 0.5, np.random.default_rng(1), draws=200)
    # The quadratic extrapolation is known to stop a little short (Carroll et al. 2006, ch. 5).
    true = disattenuated(x, y, 0.6, 0.5)
    assert pearson(x, y) + 0.06 < found.value < true + 0.02
    assert found.low < found.value < found.high
    still = simex(x, y, 0.0, 0.0, np.random.default_rng(1), draws=5)
    assert still.value == pytest.approx(pearson(x, y))


def test_simex_of_a_slope_against_its_attenuation():
    """Slope x reliability = what is seen: the exact extrapolant of a linear model."""
    x, y = data(200, x_error=0.3, y_error=0.0)

    def slope(a, b):
        centred = a - a.mean(axis=-1, keepdims=True)
        return np.sum(centred * b, axis=-1) / np.sum(centred**2, axis=-1)

    found = simex(x, y, 0.3, 0.0, np.random.default_rng(2), slope, draws=400)
    assert found.value == pytest.approx(float(slope(x, y)) / reliability(x, 0.3), rel=0.01)


def test_deming_is_the_line_of_least_weighted_squares():
    """Brute force: minimise sum (y - a - b x)^2 / (s_y^2 + b^2 s_x^2) over the slope."""
    x, y = data(40)
    slopes = np.linspace(-5, 5, 200_001)
    centred_x, centred_y = x - x.mean(), y - y.mean()
    squares = (
        centred_y @ centred_y
        - 2 * slopes * (centred_x @ centred_y)
        + slopes**2 * (centred_x @ centred_x)
    )
    best = slopes[np.argmin(squares / (0.5**2 + slopes**2 * 0.6**2))]
    assert deming(x, y, 0.6, 0.5) == pytest.approx(best, abs=1e-4)
    assert deming(x, y, 0.0, 0.5) == pytest.approx(stats.linregress(x, y).slope)


def test_re_measuring_spreads_the_coefficient_as_the_delta_method_says():
    """For small noise in y alone: sd(r) = s sqrt(sum (dr/dy)^2), derivatives by differences."""
    x, y = data(9, 0.0, 0.0)
    found = noise_spread(x, y, 0.0, 0.05, np.random.default_rng(3), draws=40_000)
    steps = 1e-5 * np.eye(9)
    slopes = [(pearson(x, y + s) - pearson(x, y - s)) / 2e-5 for s in steps]
    assert found.sd == pytest.approx(0.05 * np.linalg.norm(slopes), rel=0.05)
    assert found.sign_kept == 1.0
    rank = noise_spread(x, y, 0.5, 0.5, np.random.default_rng(3), kind="spearman", draws=2000)
    assert rank.sd > found.sd


def test_impossible_input_is_refused():
    for act in (
        lambda: simex([1, 2], [1, 2], 0, 0, RNG),
        lambda: disattenuated([1, 2, 3], [1, 2, 3], -1, 0),
    ):
        with pytest.raises(ValueError, match=r"\."):
            act()


def test_no_line_is_fitted_where_nothing_varies_together():
    with pytest.raises(ValueError, match="do not vary together"):
        deming([1.0, 2.0, 3.0], [0.5, 0.5, 0.5], 0.1, 0.1)
