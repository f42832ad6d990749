"""Grids for the terminal, for Markdown and for LaTeX; rows for CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from vlm4vla.reports.board.grid import Cell, Grid
from vlm4vla.reports.scores import Row

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text


def terminal(grids: Sequence[Grid], warnings: Iterable[str] = ()) -> Group:
    """Something a rich Console prints."""
    from rich import box
    from rich.console import Group, RenderableType
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for grid in grids:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
        columns = zip(grid.header, grid.numeric, zip(*grid.body, strict=True), strict=True)
        for name, numeric, cells in columns:
            fold = name in ("policy", "task", "run", "options", "from") or len(grid.header) > 8
            longest = max(len(text) for cell in cells for text in _lines(cell))
            least = {"run": min(longest, 14), "policy": min(longest, 20), "from": min(longest, 13)}
            table.add_column(
                Text(name),
                justify="right" if numeric else "left",
                overflow="fold",
                no_wrap=not fold,
                min_width=least.get(name),
            )
        for line in grid.body:
            table.add_row(*(_stacked(cell) for cell in line))
        notes = Text("; ".join(grid.notes), style="dim")
        parts += [Text(grid.suite, style="bold"), table, Padding(notes, (0, 0, 1, 0))]
    parts += [Text(f"! {warning}", style="bold yellow") for warning in warnings]
    return Group(*parts)


def markdown(grids: Sequence[Grid], warnings: Iterable[str] = ()) -> str:
    """GitHub-flavoured tables."""
    lines: list[str] = []
    for grid in grids:
        lines += [f"### {_md(grid.suite)}", ""]
        lines.append(f"| {' | '.join(map(_md, grid.header))} |")
        lines.append(f"| {' | '.join('---:' if n else '---' for n in grid.numeric)} |")
        for line in grid.body:
            lines.append(f"| {' | '.join('<br>'.join(map(_md, _lines(c))) for c in line)} |")
        lines += ["", f"{_md('; '.join(grid.notes))}.", ""]
    lines += [f"> **Warning:** {_md(warning)}" for warning in warnings]
    return "\n".join(lines).rstrip() + "\n"


def latex(grids: Sequence[Grid], warnings: Iterable[str] = ()) -> str:
    r"""Tables for `\usepackage{booktabs}`; warnings as comments."""
    lines = [f"% Warning: {_one_line(warning)}" for warning in warnings]
    for grid in grids:
        lines += [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{_tex(grid.suite)}. {_tex('; '.join(grid.notes))}.}}",
            rf"  \begin{{tabular}}{{{''.join('r' if n else 'l' for n in grid.numeric)}}}",
            r"    \toprule",
            f"    {' & '.join(map(_tex, grid.header))} \\\\",
            r"    \midrule",
            *(
                f"    {' & '.join(_tex(', '.join(_lines(cell))) for cell in line)} \\\\"
                for line in grid.body
            ),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def csv_text(rows: Iterable[Row]) -> str:
    """Every row with all digits; empty where undefined, lists separated by `;`."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        lists = {"marks": ";".join(row.marks), "stand_ins": ";".join(row.stand_ins)}
        writer.writerow(asdict(row) | lists)
    return out.getvalue()


def json_text(rows: Iterable[Row]) -> str:
    """A list of objects, null where undefined."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def _lines(cell: Cell) -> list[str]:
    return [cell.text, *cell.below]


def _stacked(cell: Cell) -> Text:
    from rich.text import Text

    text = Text(cell.text)
    for line in cell.below:
        text.append(f"\n{line}", style="dim")
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _md(text: str) -> str:
    return re.sub(r"([\\|<>*_`~])", r"\\\1", _one_line(text))


_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "†": r"$^\dagger$",
    "≤": r"$\leq$",
    "‡": r"$^\ddagger$",
    "◊": r"$^\diamond$",
    "△": r"$^\triangle$",
    "§": r"$^\S$",
    "¶": r"$^\P$",
    "≠": r"$\neq$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def _tex(text: str) -> str:
    # A bracket at the start of a row would be read as the argument of the row break before it.
    return "".join(_TEX.get(sign, sign) for sign in _one_line(text)).replace("[", "{[}")
