"""How wrongly one set of scores ranks policies that another set ranks (SIMPLER, Li et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mean_maximum_rank_violation(simulated: Sequence[float], real: Sequence[float]) -> float:
    """For each policy the largest real gap to one that the simulation ranks otherwise; their mean.

    0 where both rank alike. Not symmetric: gaps are real ones. Equal scores rank neither way.

    Args:
        simulated: a score of each policy.
        real: of the same policies, on a robot of metal.
    """
    if len(simulated) != len(real) or not len(real):
        raise ValueError("simulated and real must hold one score each for the same policies.")
    above_here, above_there = (np.greater.outer(scores, scores) for scores in (simulated, real))
    gaps = np.abs(np.subtract.outer(real, real)) * (above_here != above_there)
    return float(gaps.max(axis=1).mean())
