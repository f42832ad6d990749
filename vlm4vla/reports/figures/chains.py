"""Chains of subtasks (CALVIN): how many come how far, and how the lengths are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from vlm4vla.reports.figures import drawing as draw
from vlm4vla.reports.figures.canvas import blank, tip

_SHADES = ("#e3e8ed", "#cfe1ee", "#9fc6e0", "#63a5cf", "#2a80b8", "#00507d")
"""From none solved to all: one hue that darkens, so that print and every eye keep the order."""


@dataclass(frozen=True)
class Chains:
    """Chains of one run by the number of subtasks solved: `counts[k]` chains solved k."""

    label: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """All chains."""
        return sum(self.counts)

    def at_least(self, k: int) -> int:
        """Chains that solved `k` subtasks or more."""
        return sum(self.counts[k:])


def survival(runs: Sequence[Chains], ax: Axes | None = None) -> Axes:
    """Share of chains with at least 1, 2, ... subtasks solved (SR1..SR5), a line a run."""
    height = 190.0 + 18.0 * len(runs)
    ax = ax or blank(height, name="Share of chains by subtasks solved in a row")
    steps = max(len(run.counts) for run in runs) - 1
    draw.levels(ax)
    ax.set(xlim=(0.7, steps + 0.3), ylim=(0, 100), yticks=range(0, 101, 25))
    ax.set_xticks(range(1, steps + 1), [f"SR{k}" for k in range(1, steps + 1)])
    for index, run in enumerate(runs):
        shares = [100 * run.at_least(k) / max(1, run.total) for k in range(1, len(run.counts))]
        colour = draw.COLOURS[index % len(draw.COLOURS)]
        ax.plot(range(1, len(run.counts)), shares, color=colour, linewidth=2, clip_on=False)
        for k, share in enumerate(shares, 1):
            draw.mark(ax, index, k, share, f"{run.label}: {run.at_least(k)} of {run.total}", 9)
    draw.key(ax, [draw.series(index, run.label) for index, run in enumerate(runs)], 1, gap=25)
    return ax


def lengths(runs: Sequence[Chains], ax: Axes | None = None) -> Axes:
    """A bar a run, cut by the number of subtasks solved, counts written where they fit."""
    height = draw.LINE * len(runs) + draw.BELOW
    ax = ax or blank(height, name="Chains by the number of subtasks solved")
    draw.rows(ax, [run.label for run in runs])
    draw.bare(ax, 1)
    steps = max(len(run.counts) for run in runs)
    for row, run in enumerate(runs):
        start = 0.0
        for k, count in enumerate(run.counts):
            share = count / max(1, run.total)
            (bar,) = ax.barh(row, share, draw.THICK, start, color=_shade(k, steps),
                             edgecolor="white", linewidth=1)  # fmt: skip
            tip(bar, f"{k} solved: {count} of {run.total}")
            if share > 0.025 + 0.025 * len(str(count)):
                ax.text(start + share / 2, row, str(count), ha="center", va="center_baseline",
                        fontsize=11, color="white" if k >= steps - 2 else draw.INK)  # fmt: skip
            start += share
    draw.key(ax, [draw.piece(_shade(k, steps), str(k)) for k in range(steps)], steps)
    return ax


def _shade(k: int, steps: int) -> str:
    return _SHADES[round(k * (len(_SHADES) - 1) / max(1, steps - 1))]
