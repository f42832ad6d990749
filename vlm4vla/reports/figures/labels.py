"""Names beside marks, none upon another as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[float, float, float, float]
"""Left, top, right, bottom; view box units."""

_LETTER = 5.6
"""Mean width of a letter of the size used."""
_HEIGHT = 11.0
_AROUND = (
    (9, 0), (-9, 0), (0, -13), (0, 14), (9, -11), (-9, -11), (9, 12), (-9, 12),
    (9, -22), (-9, -22), (9, 23), (-9, 23), (0, -25), (0, 26),
)  # fmt: skip


def place(
    texts: Sequence[str], marks: Sequence[tuple[float, float]], room: Box
) -> list[tuple[float, float, str]]:
    """Where each text goes: the first place around its mark that hides nothing, or the best.

    Args:
        texts: one for each mark.
        marks: centres, view box units.
        room: texts stay inside.

    Returns:
        x, y of the baseline, and the SVG `text-anchor`, for each text.
    """
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in marks]
    found = []
    for text, (x, y) in zip(texts, marks, strict=True):
        choices = [_box(text, x + dx, y + dy, dx) for dx, dy in _AROUND]
        costs = [
            sum(_overlap(box, other) for other in taken) + 4 * _outside(box, room)
            for box in choices
        ]
        best = costs.index(min(costs))
        taken.append(choices[best])
        dx, dy = _AROUND[best]
        anchor = "middle" if dx == 0 else "start" if dx > 0 else "end"
        found.append((x + dx, y + dy + 4, anchor))
    return found


def _box(text: str, x: float, y: float, side: float) -> Box:
    width = _LETTER * len(text)
    left = x - width / 2 if side == 0 else x if side > 0 else x - width
    return left, y - _HEIGHT / 2, left + width, y + _HEIGHT / 2


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _outside(box: Box, room: Box) -> float:
    beyond = (room[0] - box[0], room[1] - box[1], box[2] - room[2], box[3] - room[3])
    return 10 * sum(max(amount, 0.0) for amount in beyond)
