"""The scatter in letters, for a terminal."""

from __future__ import annotations

from vlm4vla.reports.correlation.correlation import Correlation


def text_scatter(found: Correlation, width: int = 58, height: int = 13) -> list[str]:
    """The scatter in letters, for a terminal: `a` is the first backbone of `found.points`."""
    xs, ys = [p.x for p in found.points], [p.y for p in found.points]
    grid = [[" "] * width for _ in range(height)]

    def cell(x: float, y: float) -> tuple[int, int]:
        across = (x - min(xs)) / ((max(xs) - min(xs)) or 1.0)
        up = (y - min(ys)) / ((max(ys) - min(ys)) or 1.0)
        return round((1 - up) * (height - 1)), round(across * (width - 1))

    for column in range(width):
        x = min(xs) + (max(xs) - min(xs)) * column / (width - 1)
        row, _ = cell(x, found.intercept + found.slope * x)
        if 0 <= row < height:
            grid[row][column] = "·"
    for index, point in enumerate(found.points):
        row, column = cell(point.x, point.y)
        while grid[row][column].isalpha() and column + 1 < width:
            column += 1
        grid[row][column] = chr(ord("a") + index % 26)
    factor, digits = (100, 1) if all(0 <= y <= 1 for y in ys) else (1, 2)
    edge = {0: f"{factor * max(ys):.{digits}f}", height - 1: f"{factor * min(ys):.{digits}f}"}
    lines = [f"{edge.get(i, ''):>6} │{''.join(row)}" for i, row in enumerate(grid)]
    return [*lines, " " * 7 + "└" + "─" * width]
