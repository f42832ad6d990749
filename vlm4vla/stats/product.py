"""GrinningFace's decomposition: overall = execution x recognition, recognition given execution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from vlm4vla.stats.binomial import POSTERIOR_DRAWS, binomial_test, jeffreys, posterior
from vlm4vla.stats.intervals import Estimate, Floats


@dataclass(frozen=True)
class Decomposition:
    """Three rates of one split, with intervals of their Jeffreys posteriors."""

    execution: Estimate
    recognition: Estimate | None
    """None where nothing was executed."""
    overall: Estimate
    """The product, by sampling both posteriors."""
    p_chance: float | None
    """Exact two-sided p that recognition is at chance."""


def decompose(
    executed: int,
    recognised: int,
    trials: int,
    generator: Generator,
    chance: float,
    confidence: float = 0.95,
    draws: int = POSTERIOR_DRAWS,
) -> Decomposition:
    """Split a success rate into whether the arm did it and whether it was the right card.

    Args:
        executed: episodes in which some card was reached with the cube.
        recognised: those of them in which it was the right one.
        trials: all episodes, at least 1.
        generator: where the posterior draws come from.
        chance: what a policy that cannot read scores: one card in three.
        confidence: two-sided level.
        draws: of the posterior.
    """
    if not 0 <= recognised <= executed <= trials or not trials:
        raise ValueError("Counts must satisfy recognised <= executed <= trials, with 1 trial.")
    execution = _estimate(executed, trials, confidence)
    recognition = _estimate(recognised, executed, confidence) if executed else None
    low, high = np.quantile(
        product_draws(executed, recognised, trials, generator, draws),
        [(1 - confidence) / 2, (1 + confidence) / 2],
    )
    overall = Estimate(recognised / trials, float(low), float(high))
    p = float(binomial_test(recognised, executed, chance)) if executed else None
    return Decomposition(execution, recognition, overall, p)


def product_draws(
    executed: int,
    recognised: int,
    trials: int,
    generator: Generator,
    draws: int = POSTERIOR_DRAWS,
) -> Floats:
    """Draws (draws,) of execution x recognition from their independent posteriors.

    Subtract those of two splits to get the posterior of a gap, e.g. ID less Val.

    Args:
        executed: episodes executed.
        recognised: those of them that were right.
        trials: all episodes.
        generator: where the draws come from.
        draws: how many.
    """
    execution = posterior(executed, trials, generator, draws)
    recognition = posterior(recognised, executed, generator, draws)
    product: Floats = execution * recognition
    return product


def _estimate(successes: int, trials: int, confidence: float) -> Estimate:
    low, high = jeffreys(successes, trials, confidence)
    return Estimate(successes / trials, float(low), float(high))
