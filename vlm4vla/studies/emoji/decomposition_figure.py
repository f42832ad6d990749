"""Execution, recognition and overall success by split, with the line of a policy that guesses."""

from __future__ import annotations

from matplotlib.axes import Axes

from vlm4vla.reports.figures import drawing as draw
from vlm4vla.studies.emoji.decomposition import SplitScore
from vlm4vla.studies.emoji.premise import CHANCE, SPLITS

_NAMES = ("execution", "recognition", "overall")
_LINE, _GAP = 17.0, 12.0


def decomposition(scores: tuple[SplitScore, ...], ax: Axes | None = None) -> Axes:
    """Three rates a split, circle, square and triangle, of one policy.

    Args:
        scores: of one policy, at least one split.
        ax: where; by default on a sheet of its own.
    """
    ordered = sorted(scores, key=lambda one: SPLITS.index(one.split))
    step = 3 * _LINE + _GAP
    name = f"Execution, recognition and overall success of {ordered[0].policy}"
    ax = ax or draw.blank(step * len(ordered) + 72, name, 440)
    draw.frame_rows(ax, -_LINE / 2 - _GAP / 2, step * len(ordered) - _GAP / 2)
    draw.scale(ax, 0.0, 1.0, rate=True)
    draw.chance_line(ax, CHANCE, "recognition by chance")
    ax.annotate("chance", (CHANCE, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                ha="center", textcoords="offset points", fontsize=11, color=draw.SOFT)  # fmt: skip
    for number, one in enumerate(ordered):
        top = number * step
        draw.name(ax, top + _LINE, f"{one.split}, n = {one.n}", bold=True)
        for index, part in enumerate(_NAMES):
            estimate = getattr(one, part)
            if estimate is not None:
                y = top + index * _LINE
                draw.whisker(ax, y, estimate.low, estimate.high)
                draw.mark(ax, index, estimate.value, y, f"{part} {100 * estimate.value:.1f} %")
    draw.key(ax, [draw.series(i, part) for i, part in enumerate(_NAMES)], 3, gap=24)
    return ax
