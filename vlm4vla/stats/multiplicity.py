"""Many comparisons at once: adjusted p values (m,), and letters for what cannot be told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vlm4vla.stats.intervals import Floats


def holm(p: ArrayLike) -> Floats:
    """Adjusted p for claims: the chance of any false one stays below the level (Holm 1979)."""
    values = _values(p)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(values.size, 0, -1)
    return _back(np.minimum(np.maximum.accumulate(scaled), 1.0), order)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjusted p for exploration: the expected share of false ones stays below the level.

    Benjamini & Hochberg 1995, JRSS B 57, 289-300.
    """
    values = _values(p)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * values.size / np.arange(1, values.size + 1)
    smallest_from_here = np.minimum.accumulate(scaled[::-1])[::-1]
    return _back(np.minimum(smallest_from_here, 1.0), order)


def letters(separable: ArrayLike) -> list[str]:
    """Compact letter display: two policies share a letter where they cannot be told apart.

    Insert and absorb (Piepho 2004, J. Comput. Graph. Stat. 13, 456-466).

    Args:
        separable: (m, m) symmetric truth values, e.g. Holm-adjusted p below the level.

    Returns:
        Letters for each of the m policies; the first policy has the first letter.
    """
    told = np.asarray(separable, dtype=bool)
    if told.ndim != 2 or told.shape[0] != told.shape[1] or (told != told.T).any():
        raise ValueError("A square, symmetric matrix is needed.")
    groups: list[frozenset[int]] = [frozenset(range(len(told)))]
    for i, j in zip(*np.nonzero(np.triu(told, 1)), strict=True):
        split: set[frozenset[int]] = set()
        for group in groups:
            split |= {group - {int(i)}, group - {int(j)}} if {i, j} <= group else {group}
        groups = [g for g in split if g and not any(g < other for other in split)]
    ordered = sorted(groups, key=sorted)
    return ["".join(_letter(n) for n, g in enumerate(ordered) if i in g) for i in range(len(told))]


def _letter(number: int) -> str:
    first = chr(ord("a") + number % 26)
    return first if number < 26 else f"{first}{number // 26}"


def _values(p: ArrayLike) -> Floats:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise ValueError("p values must be a list of numbers between 0 and 1.")
    return values


def _back(adjusted: Floats, order: NDArray[np.intp]) -> Floats:
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result
