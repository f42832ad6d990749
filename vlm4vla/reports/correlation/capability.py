"""The two axes of a correlation: how good a backbone is without a robot, and as a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.reports.board.beside import BesideRow, paper_row
from vlm4vla.reports.board.board import board
from vlm4vla.reports.correlation.vqa import PUBLISHED, ScoreRow
from vlm4vla.reports.marks import BEST
from vlm4vla.reports.scores import ALL, Row, headline
from vlm4vla.stats.intervals import Z95
from vlm4vla.store import Store
from vlm4vla.store.published import backbone_of, published
from vlm4vla.suites.files import headline_names


@dataclass(frozen=True)
class Value:
    """One backbone on one axis."""

    value: float
    standard_error: float | None = None
    n: int | None = None
    marks: tuple[str, ...] = ()
    """What must be said beside it: `down-weighted`, `fine-tuned`, `best of many`, ..."""


@dataclass(frozen=True)
class Axis:
    """One quantity over backbones."""

    name: str
    metric: str
    values: Mapping[str, Value]
    notes: tuple[str, ...] = ()


_MARKS = {
    "digitised": "read off a figure: its numbers were never published and cannot be recomputed",
    "down-weighted": "lowered by a weight that the paper does not disclose",
    "fine-tuned": "after fine-tuning on the benchmark itself",
    "unverified": "from an aggregator, unverified",
}


def vqa_axis(name: str, rows: Sequence[ScoreRow], shipped_first: bool = False) -> Axis:
    """Scores of every backbone on the benchmark `name`, of the `rows` of all.

    They come either from the store (measured, or imported by the user), the latest of each
    backbone, or from what the package ships, the first: the two are never mixed on one axis, and
    `shipped_first` says which where both have the benchmark. Raises UnknownName.
    """
    known = {row.benchmark for row in rows if row.backbone}
    UnknownName.check("benchmark", [name], known, "`bench vqa list` shows all.")
    found = [row for row in rows if row.backbone and row.benchmark == name]
    shipped = [row for row in found if row.origin == PUBLISHED]
    chosen, notes = {row.backbone: row for row in found if row.origin != PUBLISHED}, []
    if chosen and not (shipped and shipped_first):
        if any(row.origin != "measured" for row in chosen.values()):
            notes.append("x: imported, not measured by this harness")
    else:
        chosen = {}
        for row in shipped:
            chosen.setdefault(row.backbone, row)
        sources = {row.source for row in chosen.values()}
        if len(sources) > 1:
            notes.append(f"x: from {len(sources)} sources, whose toolkits and prompts differ")
        for mark, words in _MARKS.items():
            marked = [backbone for backbone, row in chosen.items() if mark in row.marks]
            if marked:
                which = "" if len(marked) == len(chosen) else f" ({', '.join(marked)})"
                notes.append(f"x: {words}{which}")
    values = {
        backbone: Value(row.value, row.standard_error, row.n, row.marks)
        for backbone, row in chosen.items()
    }
    return Axis(name, "", values, tuple(notes))


def suite_axes(
    suites: Sequence[str], printed: bool, store: Store | None, named: Mapping[str, str]
) -> list[Axis]:
    """How the policies of the store do on each of the suites, or as VLM4VLA has it `printed`.

    By default on all in the store, or those of which the papers print a correlation. `named` gives
    the backbone of a policy whose name does not tell. Raises UnknownName, or BadInput without runs.
    """
    if printed:
        return [_published_axis(suite) for suite in suites or correlated_suites()]
    assert store is not None
    found = [_measured_axis(store, suite, named) for suite in suites or measured_suites(store)]
    if not found:
        raise BadInput("The store holds no runs yet.", "Add --published for the papers' tables.")
    return found


def correlated_suites() -> list[str]:
    """Of which suites the papers print a correlation (VLM4VLA, Fig. 3), in their order."""
    return list(dict.fromkeys(row.suite for row in published() if row.metric == "pearson"))


def measured_suites(store: Store) -> list[str]:
    """Suites of which the store holds runs, in the order of their first run."""
    return list(dict.fromkeys(run.suite for run in store.runs()))


def _published_axis(suite: str) -> Axis:
    """What VLM4VLA prints for its backbones: the baselines of Tables 1 and 2."""
    rows = [
        row
        for row in published()
        if row.source.startswith("VLM4VLA") and row.variant == "VLM4VLA baseline"
        and row.task == ALL and row.metric in headline_names()
        and row.table in ("Table 1", "Table 2")
    ]  # fmt: skip
    chosen = [paper_row(row, published()) for row in rows if row.suite == suite]
    known = {row.suite for row in rows}
    UnknownName.check("suite in VLM4VLA's Tables 1 and 2", [suite], known)
    text = "y: the best of several checkpoints and horizons, chosen on the episodes reported"
    notes = (text,) if any(BEST.name in row.marks for row in chosen) else ()
    return Axis(suite, chosen[0].metric, {row.backbone: _mean([row]) for row in chosen}, notes)


def _measured_axis(store: Store, suite: str, named: Mapping[str, str]) -> Axis:
    """The headline of every complete run; several of one backbone are averaged."""
    heads, warnings = policies_of(store, suite, named)
    found: dict[str, list[Row]] = {}
    notes = list(warnings)
    for row, backbone in heads:
        if not backbone:
            notes.append(f"{row.policy} has no backbone: --backbone {row.policy}=NAME gives it one")
        elif not row.complete:
            notes.append(f"{row.policy} is {row.status} and left out")
        elif row.value is not None and row.low is not None:
            found.setdefault(backbone, []).append(row)
    values = {backbone: _mean(rows) for backbone, rows in found.items()}
    return Axis(suite, heads[-1][0].metric if heads else "", values, tuple(notes))


def _mean(rows: Sequence[Row] | Sequence[BesideRow]) -> Value:
    """Of scores that are not None, the mean, and its standard error if each has an interval."""
    ends = [(row.low, row.high) for row in rows]
    errors = [(h - low) / (2 * Z95) for low, h in ends if low is not None and h is not None]
    error = sum(error**2 for error in errors) ** 0.5 / len(rows)
    value, n = sum(row.value or 0.0 for row in rows) / len(rows), sum(row.n or 0 for row in rows)
    marks = tuple(dict.fromkeys(mark for row in rows for mark in row.marks))
    return Value(value, error if len(errors) == len(rows) else None, n or None, marks)


def policies_of(
    store: Store, suite: str, named: Mapping[str, str]
) -> tuple[list[tuple[Row, str]], tuple[str, ...]]:
    """The headline of every run of a suite with the backbone behind it, and the board's warnings.

    The backbone is what `named` says of the policy, or its option `backbone`, or its name; empty
    if none of them tells.
    """
    shown = board(store, [suite])
    options = {run.id: run.policy_options for run in store.runs()}
    found = []
    for row in map(headline, shown.of_suite(suite)):
        stated = str(options[row.run].get("backbone", ""))
        backbone = named.get(row.policy) or backbone_of(stated or row.policy) or stated
        found.append((row, backbone))
    return found, shown.warnings
