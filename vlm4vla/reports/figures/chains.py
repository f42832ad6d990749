"""Chains of subtasks (CALVIN): how many come how far, and how the lengths are distributed."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.reports.figures.drawing import (
    COLOURS,
    LINE,
    WIDTH,
    label,
    label_width,
    shape,
    svg,
)

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


def survival(runs: Sequence[Chains]) -> str:
    """SVG: share of chains with at least 1, 2, ... subtasks solved (SR1..SR5), a line a run."""
    top, bottom, left, right = 8.0, 168.0, 34.0, WIDTH - 12.0
    steps = max(len(run.counts) for run in runs) - 1

    def x(k: float) -> float:
        return left + (right - left) * (k - 0.7) / max(1, steps - 0.4)

    def y(share: float) -> float:
        return bottom - (bottom - top) * share

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line class="grid" x1="{left}" x2="{right}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'
            f'<text class="tick" x="{left - 16}" y="{y(share) + 4:.1f}">{100 * share:g}</text>'
        )
    for k in range(1, steps + 1):
        parts.append(f'<text class="tick" x="{x(k):.1f}" y="{bottom + 16}">SR{k}</text>')
    for index, run in enumerate(runs):
        shares = [run.at_least(k) / max(1, run.total) for k in range(1, len(run.counts))]
        points = " ".join(f"{x(k):.1f},{y(share):.1f}" for k, share in enumerate(shares, 1))
        colour = COLOURS[index % len(COLOURS)]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        for k, share in enumerate(shares, 1):
            said = f"{run.label}: {run.at_least(k)} of {run.total}"
            parts.append(shape(index, x(k), y(share), said, 4.5))
    for index, run in enumerate(runs):
        row = bottom + 38 + 18 * index
        parts.append(shape(index, left + 4, row - 4, size=4.5))
        parts.append(f'<text x="{left + 16}" y="{row}">{html.escape(run.label)}</text>')
    return svg(bottom + 30 + 18 * len(runs), parts, "Share of chains by subtasks solved in a row")


def lengths(runs: Sequence[Chains]) -> str:
    """SVG: a bar a run, cut by the number of subtasks solved, counts written where they fit."""
    left, right = label_width([run.label for run in runs]), WIDTH - 8.0
    steps = max(len(run.counts) for run in runs)
    parts = []
    for row, run in enumerate(runs):
        y, start = LINE * row + 4, left
        parts.append(label(run.label, left, y + 9))
        for k, count in enumerate(run.counts):
            width = (right - left) * count / max(1, run.total)
            parts.append(
                f'<rect class="piece" x="{start:.1f}" y="{y}" width="{width:.1f}" height="18" '
                f'fill="{_shade(k, steps)}"><title>{k} solved: {count} of {run.total}</title>'
                "</rect>"
            )
            if width > 9 + 6 * len(str(count)):
                light = ' fill="#fff" class="inside"' if k >= steps - 2 else ""
                parts.append(
                    f'<text x="{start + width / 2:.1f}" y="{y + 13}" text-anchor="middle" '
                    f'font-size="11"{light}>{count}</text>'
                )
            start += width
    base = LINE * len(runs) + 16
    for k in range(steps):
        x = left + (right - left) * k / steps
        parts.append(
            f'<rect class="piece" x="{x:.1f}" y="{base - 9}" width="10" height="10" '
            f'fill="{_shade(k, steps)}"/><text class="count" x="{x + 14:.1f}" y="{base}">{k}</text>'
        )
    return svg(base + 8, parts, "Chains by the number of subtasks solved")


def _shade(k: int, steps: int) -> str:
    return _SHADES[round(k * (len(_SHADES) - 1) / max(1, steps - 1))]
