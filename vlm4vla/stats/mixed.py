"""Does a better backbone succeed more often? A mixed logit over episodes, counted in backbones.

logit P(success) = b0 + b1 z(vqa) + b2 z(log params) + (1 | family) + (1 | backbone)
                   + (1 | suite:task) + (1 | init) + (z(vqa) | suite)

Episodes of one backbone are not independent evidence on backbones, which is what the random
intercepts say: thousands of episodes pin each backbone's rate down, and b1 still hangs on as many
points as there are backbones.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlm4vla.stats.intervals import Floats

FEWEST = 6
"""Backbones: three coefficients, and three degrees of freedom to judge them by."""

_FIXED_SD = 5.0
"""Prior of the coefficients: next to flat, in log-odds."""


@dataclass(frozen=True)
class Trials:
    """One entry per episode in every column, n in all; scores and sizes are the backbone's."""

    success: Floats
    """(n,) of 0 and 1."""
    vqa: Floats
    """(n,) in any unit: z-scored over backbones here."""
    params: Floats | None
    """(n,) number of parameters; None leaves the term out."""
    backbone: Sequence[str]
    family: Sequence[str]
    suite: Sequence[str]
    task: Sequence[str]
    """Unique over suites."""
    init: Sequence[str]
    """Unique over tasks: episodes that share it began in the same state."""


@dataclass(frozen=True)
class Slope:
    """What one standard deviation of the benchmark (over backbones) does to the log-odds."""

    b1: float
    low: float
    high: float
    """Of the 95 % interval."""
    standard_error: float
    n: int
    """Backbones: the effective sample size."""
    degrees: int
    """Of freedom of the interval's t: backbones less coefficients."""
    episodes: int
    spread: dict[str, float]
    """Standard deviation of each random effect, in log-odds."""
    b2: float | None
    """Of z(log params); None where it was left out."""
    r_params: float | None
    """Pearson's r of benchmark and log params over backbones; near 1, neither slope is known."""
    converged: bool


def mixed_logit(trials: Trials, seed: int = 0) -> Slope:
    """Fit the model with statsmodels' BinomialBayesMixedGLM and give b1 its interval.

    Means and standard deviations of the random effects are those of the mean-field variational
    posterior. Its own error of b1 takes the backbones' intercepts for known and so is that of
    episodes; here the error comes from the joint Gaussian (Laplace) posterior of all coefficients
    and intercepts around these means instead. Backbones being few, their spread is widened by
    n / (n - coefficients) as in REML, and the interval is Student's.

    A random effect that the data cannot tell from another is left out: `family` if every
    backbone is its own or all are one, `suite` for one suite, `init` if none is shared.

    Args:
        trials: the episodes.
        seed: where the optimiser starts.

    Raises:
        ValueError: fewer than 6 backbones, or one outcome in all episodes.
        ImportError: statsmodels is not installed.
    """
    if len(set(trials.backbone)) < FEWEST:
        raise ValueError(f"the mixed model needs {FEWEST} backbones")
    from scipy import sparse, stats
    from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

    z, sizes = _standardised(trials.vqa, trials.backbone), None
    columns = [np.ones_like(z), z]
    if trials.params is not None:
        sizes = _standardised(np.log(trials.params), trials.backbone)
        columns.append(sizes)
    fixed = np.column_stack(columns)
    groups = _groups(trials)
    blocks = [_indicators(labels) for labels in groups.values()]
    if len(set(trials.suite)) > 1:
        groups["slope by suite"] = trials.suite
        blocks.append(sparse.csr_array(_indicators(trials.suite).multiply(z[:, None])))
    kind = np.repeat(np.arange(len(blocks)), [block.shape[1] for block in blocks])
    random = sparse.csr_array(sparse.hstack(blocks))
    model = BinomialBayesMixedGLM(trials.success, fixed, random, kind, vcp_p=1, fe_p=_FIXED_SD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is in what is returned
        found = model.fit_vb(
            rng=seed, fit_method="L-BFGS-B", minim_opts={"maxiter": 2000, "maxfun": 4000}
        )
    n = len(set(trials.backbone))
    degrees = n - fixed.shape[1]
    sds = np.exp(found.vcp_mean)
    between = np.isin(list(groups), ["family", "backbone"])
    widened = np.where(between, sds * np.sqrt(n / degrees), sds)
    prior = np.concatenate([np.full(fixed.shape[1], _FIXED_SD), widened[kind]])
    design = sparse.csr_array(sparse.hstack([sparse.csr_array(fixed), random]))
    at = np.concatenate([found.fe_mean, found.vc_mean])
    error = _standard_error(design, design @ at, prior)
    b1, reach = float(found.fe_mean[1]), float(stats.t.ppf(0.975, degrees)) * error
    return Slope(
        b1=b1,
        low=b1 - reach,
        high=b1 + reach,
        standard_error=error,
        n=n,
        degrees=degrees,
        episodes=len(z),
        spread={name: float(sd) for name, sd in zip(groups, widened, strict=True)},
        b2=None if sizes is None else float(found.fe_mean[2]),
        r_params=None if sizes is None else _over_backbones(z, sizes, trials.backbone),
        converged=bool(found.optim_retvals.success),
    )


def _standard_error(design: object, eta: Floats, prior: Floats) -> float:
    """Of b1, from the inverse of the joint precision: likelihood's and prior's curvature."""
    from scipy import sparse
    from scipy.sparse.linalg import spsolve
    from scipy.special import expit

    x = sparse.csc_array(design)
    rate = expit(eta)
    weighted = x.multiply((rate * (1 - rate))[:, None])
    precision = sparse.csc_array(x.T @ weighted + sparse.diags_array(prior**-2))
    unit = np.zeros(x.shape[1])
    unit[1] = 1
    return float(np.sqrt(spsolve(precision, unit)[1]))


def _groups(trials: Trials) -> dict[str, Sequence[str]]:
    backbones = len(set(trials.backbone))
    groups = {"backbone": trials.backbone}
    if 1 < len(set(trials.family)) < backbones:
        groups["family"] = trials.family
    if len(set(trials.task)) > 1:
        groups["task"] = trials.task
    if len(set(trials.task)) < len(set(trials.init)) < len(trials.init):
        groups["init"] = trials.init
    return groups


def _standardised(values: Floats, backbone: Sequence[str]) -> Floats:
    """Z-scores whose mean and sd are over backbones, not over episodes. (n,) -> (n,)."""
    of_each = np.array(list(dict(zip(backbone, values, strict=True)).values()))
    spread = of_each.std()
    scaled: Floats = (values - of_each.mean()) / (spread if spread > 0 else 1.0)
    return scaled


def _over_backbones(z: Floats, sizes: Floats, backbone: Sequence[str]) -> float | None:
    """Both are z-scores over backbones, so that their mean product is r; None for equal sizes."""
    each = dict(zip(backbone, z * sizes, strict=True))
    return float(np.mean(list(each.values()))) if sizes.any() else None


def _indicators(labels: Sequence[str]):  # type: ignore[no-untyped-def]  # scipy has no types
    from scipy import sparse

    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    ones = np.ones(len(codes))
    return sparse.csr_array((ones, (np.arange(len(codes)), codes)))
