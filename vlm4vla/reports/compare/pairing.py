"""Which episodes of two runs are one and the same: a name alone does not tell."""

from __future__ import annotations

from collections.abc import Sequence

from vlm4vla.core.comparability import CONTRAST
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput
from vlm4vla.reports.compare.contrast import Rows, Sides
from vlm4vla.store import RunRecord


def without_unlike(runs: Sequence[RunRecord], sides: Sides) -> Sides:
    """The episodes but for those of one name that begin differently in the two runs.

    A control's differ on purpose; rows of stores before version 5 do not tell.

    Raises BadInput where of all that the runs have in common only the names are.
    """
    if any(CONTRAST in run.comparability for run in runs):
        return sides
    one, other = sides
    both = one.keys() & other.keys()
    unlike = {key for key in both if len({one[key].digest, other[key].digest} - {""}) == 2}
    if unlike and unlike == both:
        raise BadInput(
            f"No episode of runs {runs[0].id} and {runs[1].id} is the same: those of equal name "
            "have another task, instruction or initial state.",
            "Run both on one suite file; or add --unpaired.",
        )
    return _less(one, unlike), _less(other, unlike)


def _less(rows: Rows, unlike: set[EpisodeKey]) -> Rows:
    return {key: row for key, row in rows.items() if key not in unlike}


def by_name(sides: Sides) -> int:
    """How many episodes are taken for identical although a row does not tell what it was."""
    one, other = sides
    return sum(not (one[key].digest and other[key].digest) for key in one.keys() & other.keys())
