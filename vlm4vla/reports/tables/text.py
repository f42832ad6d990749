"""Tables as text files: Markdown and LaTeX for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
from pydantic_core import to_jsonable_python

from vlm4vla.reports.tables.selection import TableFormat
from vlm4vla.reports.tables.table import Exhibit, flat


def text(shown: Exhibit, wanted: TableFormat) -> str:
    """The exhibit in a format that is text; what a terminal shows depends on its width."""
    writers = {"markdown": markdown, "csv": csv_text, "latex": latex, "json": json_text}
    return writers[wanted](shown)


def markdown(shown: Exhibit) -> str:
    """GitHub-flavoured tables."""
    return _filled("table.md", shown, _md)


def latex(shown: Exhibit) -> str:
    r"""Tables for `\usepackage{booktabs}`; warnings as comments."""
    return _filled("table.tex", shown, _tex)


def csv_text(shown: Exhibit) -> str:
    """A line a record with all digits; empty where undefined, lists separated by `;`."""
    records = [record(line) for line in shown.lines()]
    heads = [one.name for one in fields(shown.record)] if shown.record else []
    names = dict.fromkeys(name for one in records for name in one) or heads
    out = io.StringIO()
    writer = csv.DictWriter(out, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _csv(value) for name, value in one.items()} for one in records)
    return out.getvalue()


def json_text(shown: Exhibit) -> str:
    """What the exhibit holds for programs: a list of objects, if nothing else was said."""
    return strict_json(shown.lines() if shown.data is None else shown.data)


def strict_json(value: object) -> str:
    """Records, mappings, lists and numbers as JSON: null where Python has NaN or infinity."""
    plain = to_jsonable_python(value, inf_nan_mode="null", fallback=_builtin)
    return json.dumps(plain, indent=1) + "\n"


def record(line: object) -> dict[str, object]:
    """A line of CSV or of a data frame: fields by name, an estimate as three of them."""
    if isinstance(line, Mapping):
        return dict(line)
    assert is_dataclass(line)
    found: dict[str, object] = {}
    for field in fields(line):
        found |= flat(field.name, getattr(line, field.name))
    return found


def _filled(template: str, shown: Exhibit, escaped: Callable[[str], str]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader(Path(__file__).parent / "templates")
    surroundings = Environment(
        loader=folder, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    surroundings.filters |= {"escaped": escaped, "one_line": _one_line}
    return surroundings.get_template(template).render(shown=shown).rstrip() + "\n"


def _builtin(value: object) -> object:
    """What numpy or another collection holds, in Python's own types; anything else as it is."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _csv(value: object) -> object:
    value = _builtin(value)
    if isinstance(value, list):
        return ";".join(str(_csv(part)) for part in value)
    return "" if value is None or value != value else value  # only NaN is not itself


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
