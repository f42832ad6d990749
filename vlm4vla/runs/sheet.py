"""A contact sheet: what the policy saw, left to right, top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlm4vla.core.errors import BadInput

_CELL = 160  # pixels
_COLUMNS = 6
_MOST = 18
_MARGIN = 6
_HEADER = 22


def write_sheet(frames: Sequence[Path], target: Path, title: str, most: int = _MOST) -> None:
    """Write up to `most` of the PNGs `frames`, evenly spaced with first and last, as one PNG.

    Every cell carries the number of its step (the file's name). Raises BadInput without frames.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not frames:
        raise BadInput("There are no frames for a contact sheet.")
    count = min(most, len(frames))
    chosen = [frames[round(i * (len(frames) - 1) / max(1, count - 1))] for i in range(count)]
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    width = columns * (_CELL + _MARGIN) + _MARGIN
    height = _HEADER + rows * (_CELL + _MARGIN) + _MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    draw.text((_MARGIN, 4), title, "black", font)
    for number, path in enumerate(chosen):
        x = _MARGIN + number % columns * (_CELL + _MARGIN)
        y = _HEADER + number // columns * (_CELL + _MARGIN)
        with Image.open(path) as frame:
            sheet.paste(
                frame.convert("RGB").resize((_CELL, _CELL), Image.Resampling.LANCZOS), (x, y)
            )
        step = str(int(path.stem))
        draw.rectangle((x, y, x + 6 + 8 * len(step), y + 16), "black")
        draw.text((x + 3, y), step, "white", font)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target)
