"""Where the time of a run's episodes went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlm4vla.reports.figures.drawing import COLOURS, LINE, WIDTH, label, label_width, svg


@dataclass(frozen=True)
class Spent:
    """Seconds of one run by what they were spent on."""

    label: str
    parts: Mapping[str, float]
    episodes: int


def seconds(runs: Sequence[Spent]) -> str:
    """SVG: a bar a run, as long as one of its episodes took on average, cut by purpose."""
    left, right = label_width([run.label for run in runs]), WIDTH - 58.0
    mean = [sum(run.parts.values()) / max(1, run.episodes) for run in runs]
    longest = max(mean) or 1.0
    parts = []
    for row, run in enumerate(runs):
        y, start = LINE * row + 4, left
        parts.append(label(run.label, left, y + 9))
        for index, (name, spent) in enumerate(run.parts.items()):
            width = (right - left) * spent / max(1, run.episodes) / longest
            parts.append(
                f'<rect class="piece" x="{start:.1f}" y="{y}" width="{width:.1f}" height="18" '
                f'fill="{COLOURS[index % len(COLOURS)]}"><title>{name}: {spent:.3g} s</title>'
                "</rect>"
            )
            start += width
        parts.append(
            f'<text class="count" x="{start + 6:.1f}" y="{y + 13}">{mean[row]:.3g} s</text>'
        )
    base, x = LINE * len(runs) + 18, 4.0
    for index, name in enumerate(runs[0].parts):
        parts.append(
            f'<rect class="piece" x="{x:.1f}" y="{base - 9}" width="10" height="10" '
            f'fill="{COLOURS[index % len(COLOURS)]}"/>'
            f'<text class="count" x="{x + 14:.1f}" y="{base}">{name}</text>'
        )
        x += 26 + 6.4 * len(name)
    return svg(base + 8, parts, "Mean seconds of an episode by purpose")
