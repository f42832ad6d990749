"""What became of a run's episodes: stages reached, chains solved in a row, seconds spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from vlm4vla.reports.figures import drawing as draw
from vlm4vla.reports.summary import Spent, Stage

_SHADES = ("#e3e8ed", "#cfe1ee", "#9fc6e0", "#63a5cf", "#2a80b8", "#00507d")
"""From none solved to all: one hue that darkens, so that print and every eye keep the order."""


def funnel(stages: Sequence[Stage], ax: Axes | None = None) -> Axes:
    """Horizontal bars on rails as long as the total, counts written at the end."""
    name = "How many episodes reached each stage"
    ax = draw.rows(ax, name, [stage.name for stage in stages], below=6)
    ax.set(xticks=[], xlim=(0, 1))
    ax.barh(range(len(stages)), 1.0, draw.THICK, color=draw.RAIL)
    shares = [stage.reached / max(1, stage.episodes) for stage in stages]
    ax.barh(range(len(stages)), shares, draw.THICK, color=draw.COLOURS[0])
    for row, stage in enumerate(stages):
        draw.after(ax, 1.0, row, f"{stage.reached}/{stage.episodes}")
    return ax


def survival(chains: Mapping[str, Sequence[int]], ax: Axes | None = None) -> Axes:
    """Share of chains (CALVIN) with at least 1, 2, ... subtasks solved (SR1..SR5), a line a run.

    `chains[run][k]` chains of a run solved k subtasks.
    """
    height = 190.0 + 18.0 * len(chains)
    ax = ax or draw.blank(height, name="Share of chains by subtasks solved in a row")
    steps = max(map(len, chains.values())) - 1
    draw.levels(ax)
    ax.set(xlim=(0.7, steps + 0.3), ylim=(0, 100), yticks=range(0, 101, 25))
    ax.set_xticks(range(1, steps + 1), [f"SR{k}" for k in range(1, steps + 1)])
    for index, (run, counts) in enumerate(chains.items()):
        total, reached = sum(counts), [sum(counts[k:]) for k in range(1, len(counts))]
        shares = [100 * count / max(1, total) for count in reached]
        ax.plot(range(1, len(counts)), shares, color=draw.colour(index), linewidth=2, clip_on=False)
        for k, (share, count) in enumerate(zip(shares, reached, strict=True), 1):
            draw.mark(ax, index, k, share, f"{run}: {count} of {total}", 9)
    draw.key(ax, [draw.series(index, run) for index, run in enumerate(chains)], 1, gap=25)
    return ax


def lengths(chains: Mapping[str, Sequence[int]], ax: Axes | None = None) -> Axes:
    """A bar a run, cut by the number of subtasks solved as in `survival`, counts where they fit."""
    ax = draw.rows(ax, "Chains by the number of subtasks solved", list(chains))
    ax.set(xticks=[], xlim=(0, 1))
    steps = max(map(len, chains.values()))
    shades = [_SHADES[round(k * (len(_SHADES) - 1) / max(1, steps - 1))] for k in range(steps)]
    for row, counts in enumerate(chains.values()):
        start, total = 0.0, sum(counts)
        for k, count in enumerate(counts):
            share = count / max(1, total)
            if share > 0.025 + 0.025 * len(str(count)):
                ax.text(start + share / 2, row, str(count), ha="center", va="center_baseline",
                        fontsize=11, color="white" if k >= steps - 2 else draw.INK)  # fmt: skip
            start = _piece(ax, row, start, share, shades[k], f"{k} solved: {count} of {total}")
    draw.key(ax, [Patch(facecolor=shade, label=str(k)) for k, shade in enumerate(shades)], steps)
    return ax


def seconds(runs: Mapping[str, Spent], ax: Axes | None = None) -> Axes:
    """A bar a run, as long as one of its episodes took on average, cut by purpose."""
    ax = draw.rows(ax, "Mean seconds of an episode by purpose", list(runs))
    ends = []
    for row, run in enumerate(runs.values()):
        end = 0.0
        for index, (name, spent) in enumerate(run.parts.items()):
            mean = spent / max(1, run.episodes)
            end = _piece(ax, row, end, mean, draw.colour(index), f"{name}: {spent:.3g} s")
        ends.append(end)
    ax.set(xticks=[], xlim=(0, max(ends) or 1.0))
    for row, end in enumerate(ends):
        draw.after(ax, end, row, f"{end:.3g} s")
    names = enumerate(next(iter(runs.values())).parts)
    pieces = [Patch(facecolor=draw.colour(index), label=name) for index, name in names]
    draw.key(ax, pieces, len(pieces), side="right")
    return ax


def _piece(ax: Axes, row: int, start: float, length: float, colour: str, said: str) -> float:
    """A piece of a bar; where it ends."""
    (bar,) = ax.barh(row, length, draw.THICK, start, color=colour, edgecolor="white", linewidth=1)
    draw.tip(bar, said)
    return start + length
