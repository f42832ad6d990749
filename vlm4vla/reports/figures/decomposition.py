"""Execution, recognition and overall success by split, with the line of a policy that guesses."""

from __future__ import annotations

from vlm4vla.reports.decomposition import CHANCE, SPLITS, SplitScore
from vlm4vla.reports.figures.drawing import axis, shape, svg

WIDTH = 440
_LINE, _GAP = 17, 12
_NAMES = ("execution", "recognition", "overall")


def decomposition(scores: tuple[SplitScore, ...]) -> str:
    """SVG for one policy: three rates a split, circle, square and triangle.

    Args:
        scores: of one policy, at least one split.
    """
    ordered = sorted(scores, key=lambda one: SPLITS.index(one.split))
    left, right = 110.0, WIDTH - 14.0
    bottom = len(ordered) * (3 * _LINE + _GAP) + 22

    def x(value: float) -> float:
        return left + (right - left) * value

    parts = [axis(x, 0.0, 1.0, bottom, rate=True)]
    parts.append(
        f'<line class="chance" x1="{x(CHANCE):.1f}" x2="{x(CHANCE):.1f}" y1="18" y2="{bottom}">'
        "<title>recognition by chance</title></line>"
        f'<text class="tick" x="{x(CHANCE):.1f}" y="12">chance</text>'
    )
    y = 30.0
    for one in ordered:
        title = f"{one.split}, n = {one.n}"
        parts.append(f'<text x="4" y="{y + _LINE + 4:.1f}" font-weight="600">{title}</text>')
        for index, name in enumerate(_NAMES):
            estimate = getattr(one, name)
            if estimate is not None:
                said = f"{name} {100 * estimate.value:.1f} %"
                parts.append(
                    f'<line class="whisker" x1="{x(estimate.low):.1f}" y1="{y:.1f}" '
                    f'x2="{x(estimate.high):.1f}" y2="{y:.1f}"/>'
                    f"{shape(index, x(estimate.value), y, said)}"
                )
            y += _LINE
        y += _GAP
    key = "".join(
        f'{shape(i, left + 105 * i, bottom + 30)}<text x="{left + 105 * i + 9:.0f}" '
        f'y="{bottom + 34}">{name}</text>'
        for i, name in enumerate(_NAMES)
    )
    name = f"Execution, recognition and overall success of {ordered[0].policy}"
    return svg(bottom + 42, [*parts, key], name, WIDTH)
