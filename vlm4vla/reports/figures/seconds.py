"""Where the time of a run's episodes went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from vlm4vla.reports.figures import drawing as draw
from vlm4vla.reports.figures.canvas import blank, tip


@dataclass(frozen=True)
class Spent:
    """Seconds of one run by what they were spent on."""

    label: str
    parts: Mapping[str, float]
    episodes: int


def seconds(runs: Sequence[Spent], ax: Axes | None = None) -> Axes:
    """A bar a run, as long as one of its episodes took on average, cut by purpose."""
    height = draw.LINE * len(runs) + draw.BELOW
    ax = ax or blank(height, name="Mean seconds of an episode by purpose")
    draw.rows(ax, [run.label for run in runs])
    ends = [0.0] * len(runs)
    for index, name in enumerate(runs[0].parts):
        means = [run.parts[name] / max(1, run.episodes) for run in runs]
        bars = ax.barh(
            range(len(runs)), means, draw.THICK, ends, edgecolor="white", linewidth=1,
            color=draw.COLOURS[index % len(draw.COLOURS)],
        )  # fmt: skip
        for bar, run in zip(bars, runs, strict=True):
            tip(bar, f"{name}: {run.parts[name]:.3g} s")
        ends = [end + mean for end, mean in zip(ends, means, strict=True)]
    draw.bare(ax, max(ends) or 1.0)
    for row, end in enumerate(ends):
        draw.after(ax, end, row, f"{end:.3g} s")
    names = enumerate(runs[0].parts)
    pieces = [draw.piece(draw.COLOURS[i % len(draw.COLOURS)], name) for i, name in names]
    draw.key(ax, pieces, len(pieces), side="right")
    return ax
