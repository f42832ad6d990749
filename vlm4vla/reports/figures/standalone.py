"""A drawing of the page made to stand on its own: in a notebook, or as a file."""

from __future__ import annotations

import re

from vlm4vla.reports.figures.drawing import STYLE

_FONT = 'svg{background:#fff;font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}'


def standalone(svg: str, width: int | None = None) -> str:
    """The same drawing with its name space and the page's colours in it.

    Args:
        svg: what a function of this package returned.
        width: pixels; by default that of its view box.
    """
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if box is None:
        raise ValueError("The text is not one of this package's drawings.")
    scale = (width or float(box[1])) / float(box[1])
    size = f'width="{float(box[1]) * scale:.0f}" height="{float(box[2]) * scale:.0f}"'
    head, body = svg.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg" {size}><style>{_FONT}{STYLE}</style>{body}'
