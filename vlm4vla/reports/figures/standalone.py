"""A drawing of the page made to stand on its own: in a notebook, or as a file."""

from __future__ import annotations

import re

_STYLE = """
svg{background:#fff;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
text{fill:#1b1f24}.label{text-anchor:end}.tick{text-anchor:middle;fill:#5b6470;font-size:11px}
.grid{stroke:#d5dae0}.chance{stroke:#d55e00;stroke-dasharray:4 3}
.whisker{stroke:#0072b2;stroke-width:3}.dot{fill:#0072b2}.rail{fill:#f4f6f8}.bar{fill:#0072b2}
.count{fill:#5b6470}"""


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
    return f'{head} xmlns="http://www.w3.org/2000/svg" {size}><style>{_STYLE}</style>{body}'
