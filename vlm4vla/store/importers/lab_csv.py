"""A lab's own table of scores: a row per run, checkpoint or backbone, a column per benchmark.

Whose scores a row holds, the first of the columns `KEYS` that is there says; a column `backbone`
may stand beside it. A column's unit stands in its head (`MMBench (%)`, `MMBench (fraction)`) or is
guessed from all of its numbers together: none above 1, fractions; 0 to 100, percent; else points.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from vlm4vla.store.importers.found import Found, ResultFile
from vlm4vla.store.library import Score
from vlm4vla.store.published import backbone_of, scaled

KEYS = ("run", "checkpoint", "ckpt", "policy", "backbone", "base_model", "model", "vlm", "name")
"""Heads of the column that says whose scores a row holds, the first that is there."""

_OWN = KEYS[:4]  # names of policies, which a policy of that name is found by
_MISSING = ("", "-", "nan", "n/a", "na", "none")
_UNITS = {"%": "percent", "percent": "percent", "pct": "percent", "fraction": "fraction",
          "points": "points"}  # fmt: skip
_HEAD = re.compile(r"(.*?)[\s_]*[\[(]?(%|percent|pct|fraction|points)[\])]?\s*", re.IGNORECASE)


def is_table(file: ResultFile) -> bool:
    """Whether the header names whose scores these are and is no other table's."""
    heads = [_plain(head) for head in next(iter(_lines(file)), [])]
    return bool({*heads} & {*KEYS}) and not {"value", "suite"} & {*heads} and len(heads) > 1


def read_table(file: ResultFile) -> Found:
    """Every score, and in its note what was guessed.

    Raises:
        InvalidFile: a number that is none, fractions and percent in one column, no column of
            numbers, two rows for one key, or a model whose backbone nobody knows.
    """
    heads, *lines = _lines(file)
    plain = [_plain(head) for head in heads]
    key = next(name for name in KEYS if name in plain)
    said, scores = [f"key column '{heads[plain.index(key)]}'"], []
    for number, line in enumerate(lines, 2):
        if len(line) != len(heads):
            raise file.invalid(f"line {number}: {len(line)} cells under {len(heads)} heads")
    keys = [line[plain.index(key)] for line in lines]
    for number, name in enumerate(keys, 2):
        if not name or name in keys[: number - 2]:
            what = f"'{name}' has a row already" if name else f"no {key}"
            raise file.invalid(f"line {number}: {what}")
    bases = [line[plain.index("backbone")] if "backbone" in plain else "" for line in lines]
    backbones = [_backbone(file, key, *pair) for pair in zip(keys, bases, strict=True)]
    for column, head in enumerate(heads):
        cells = [line[column] for line in lines]
        if plain[column] in KEYS or not any(_number(cell) is not None for cell in cells):
            continue
        named = _HEAD.fullmatch(head)
        name = named[1] if named and named[1] else head
        unit, values = _column(file, name, _UNITS[named[2].lower()] if named else "", cells)
        said.append(f"{name} in {unit}")
        scores += [
            Score(model, backbone, name, "", scaled(value, unit),
                  "fraction" if unit == "percent" else unit)
            for model, backbone, value in zip(keys, backbones, values, strict=True)
            if value is not None
        ]  # fmt: skip
    if not scores:
        raise file.invalid("no column holds numbers")
    return Found("csv", scores=tuple(scores), note="; ".join(said))


def _backbone(file: ResultFile, key: str, name: str, base: str) -> str:
    if base:
        return backbone_of(base) or base
    known = backbone_of(name)
    if not known and key not in _OWN:
        raise file.invalid(
            f"'{name}' is no backbone known here: add a column 'backbone', or call the column "
            f"'{key}' what its names are, 'checkpoint', 'policy' or 'run'"
        )
    return known


def _column(
    file: ResultFile, name: str, unit: str, cells: Sequence[str]
) -> tuple[str, list[float | None]]:
    """The unit of one column and its numbers, None where there is none."""
    values = [_number(cell) for cell in cells]
    for number, (cell, value) in enumerate(zip(cells, values, strict=True), 2):
        if value is None and cell.casefold() not in _MISSING:
            raise file.invalid(f"line {number}: {name}: '{cell}' is no number")
    known = [value for value in values if value is not None]
    signed = [cell.endswith("%") for cell in cells if _number(cell) is not None]
    if any(signed):
        if not all(signed) or unit not in ("", "percent"):
            raise file.invalid(f"{name}: some numbers carry a % and others do not")
        unit = "percent"
    low, high = min(known), max(known)
    if not unit:
        unit = "points" if low < 0 or high > 100 else "percent" if high > 1 else "fraction"
        small = [value for value in known if 0 < value <= 1]
        if unit == "percent" and small:
            raise file.invalid(
                f"{name}: {small[0]:g} beside {high:g}, fraction or percent? Write all in one, or "
                f"the unit in the head: '{name} (%)'"
            )
    if unit != "points" and not 0 <= low <= high <= (100 if unit == "percent" else 1):
        raise file.invalid(f"{name}: {low:g} to {high:g} is no {unit}")
    return unit, values


def _number(cell: str) -> float | None:
    try:
        value = float(cell.removesuffix("%"))
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _plain(head: str) -> str:
    return re.sub(r"[\s-]+", "_", head.strip().casefold())


def _lines(file: ResultFile) -> list[list[str]]:
    """Rows of cells, the header first; commas, semicolons or tabs, whichever the header has."""
    with file.path.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
        head = opened.readline()
        opened.seek(0)
        rows = list(csv.reader(opened, delimiter=max(",;\t", key=head.count)))
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
