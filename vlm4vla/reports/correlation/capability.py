"""The two axes of a correlation: how good a backbone is without a robot, and as a policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.reports import marks
from vlm4vla.reports.board.beside import BesideRow, imported_rows, paper_row
from vlm4vla.reports.board.board import board, played
from vlm4vla.reports.correlation.vqa import PUBLISHED, ScoreRow
from vlm4vla.reports.scores import ALL, Row, headline, short_run
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
    backbone: str = ""
    keys: tuple[str, ...] = ()
    """Under which names the other axis may have it, the nearest first."""


@dataclass(frozen=True)
class Axis:
    """One quantity over backbones, or over several checkpoints of them."""

    name: str
    metric: str
    values: Mapping[str, Value]
    notes: tuple[str, ...] = ()
    rate: bool = False
    """Values are fractions of 1, and shown in percent."""

    def paired(self, policies: Axis) -> dict[str, tuple[str, Value, Value]]:
        """Policy -> name of its score here, score, and its own value, where there is a score."""
        names = {key.casefold(): name for name, one in self.values.items() for key in one.keys}
        names |= {name.casefold(): name for name in self.values}
        found = {}
        for label, one in policies.values.items():
            known = (names[key.casefold()] for key in one.keys if key.casefold() in names)
            if name := next(known, None):
                found[label] = (name, self.values[name], one)
        return found


_MARKS = {
    "digitised": "read off a figure: its numbers were never published and cannot be recomputed",
    "down-weighted": "lowered by a weight that the paper does not disclose",
    "fine-tuned": "after fine-tuning on the benchmark itself",
    "unverified": "from an aggregator, unverified",
}


def vqa_axis(name: str, rows: Sequence[ScoreRow], shipped_first: bool = False) -> Axis:
    """Scores of every backbone on the benchmark `name`, of the `rows` of all.

    They come either from the store or a file of the user's (measured, or imported), the latest of
    each backbone or, where several models of one have scores, of each of these; or from what the
    package ships, the first: the two are never mixed on one axis, and `shipped_first` says which
    where both have the benchmark. Raises UnknownName, or BadInput for units that do not go
    together.
    """
    found = [row for row in rows if row.backbone or row.origin != PUBLISHED]
    known = {row.benchmark for row in found}
    UnknownName.check("benchmark", [name], known, "`bench vqa list` shows all.")
    found = [row for row in found if row.benchmark == name]
    shipped = [row for row in found if row.origin == PUBLISHED]
    own = [row for row in found if row.origin != PUBLISHED]
    models = {backbone: {row.model for row in own if row.backbone == backbone and not _is(row)}
              for backbone in {row.backbone for row in own}}  # fmt: skip
    chosen, notes = {}, []
    for row in own:
        several = len(models[row.backbone]) > 1 and not _is(row)
        chosen[row.model if several or not row.backbone else row.backbone] = row
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
    units = sorted({row.unit for row in chosen.values()})
    if len(units) > 1:
        raise BadInput(
            f"Scores on '{name}' are in different units: {', '.join(units)}.",
            "Import all in one: bench import --list, --remove ID",
        )
    values = {
        key: Value(row.value, row.standard_error, row.n, row.marks, row.backbone, (row.model,))
        for key, row in chosen.items()
    }
    return Axis(name, "", values, tuple(notes), rate=units == ["fraction"])


def _is(row: ScoreRow) -> bool:
    """Whether the model is the backbone itself, not one of several made of it."""
    return row.backbone in (row.model, backbone_of(row.model))


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
    imported = dict.fromkeys(one.suite for one in imported_rows(store) if one.headline)
    known = suites or measured_suites(store) or list(imported)
    found = [_measured_axis(store, suite, named) for suite in known]
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
    notes = (text,) if any(marks.BEST.name in row.marks for row in chosen) else ()
    values = {row.backbone: _value(row, row.backbone, row.backbone) for row in chosen}
    return Axis(suite, chosen[0].metric, values, notes, chosen[0].kind == "rate")


_Found = tuple[str, str, Value]
"""A policy, what tells it from others of its name, and its value."""


def _measured_axis(store: Store, suite: str, named: Mapping[str, str]) -> Axis:
    """The headline of every complete run and of every import, each a point of its own."""
    imports = [one for one in imported_rows(store) if one.suite == suite and one.headline]
    measured = suite in measured_suites(store) or not imports
    heads, warnings = policies_of(store, suite, named) if measured else ([], ())
    rows: list[Row | BesideRow] = [*(row for row, _ in heads), *imports]
    ranked = rows[0] if rows else None
    notes = list(warnings)
    found = _of_runs(store, heads, named, notes)
    for one in imports:
        if ranked is None or one.metric != ranked.metric or marks.UNFINISHED.name in one.marks:
            notes.append(f"{one.policy} ({one.metric}, {one.source}) is left out")
        elif one.value is not None:
            told = named.get(one.policy, "")
            value = _value(one, told or backbone_of(one.policy), told, one.policy)
            found.append((one.policy, one.source.split()[0], value))
    backbones = Counter(value.backbone for _, _, value in found)
    policies = Counter(policy for policy, _, _ in found)
    values = {}
    for policy, which, value in found:
        label = policy if policies[policy] == 1 else f"{policy} {which}"
        alone = value.backbone and backbones[value.backbone] == 1
        values[value.backbone if alone else label] = value
    metric, kind = (ranked.metric, ranked.kind) if ranked else ("", "")
    return Axis(suite, metric, values, tuple(notes), kind == "rate")


def _of_runs(
    store: Store, heads: Sequence[tuple[Row, str]], named: Mapping[str, str], notes: list[str]
) -> list[_Found]:
    """Every complete run; of those that differ in conditions or episodes alone, the fullest."""
    runs = {run.id: run for run in store.runs()}
    fullest: dict[tuple[str, ...], Row] = {}
    for row, _ in sorted(heads, key=lambda head: (head[0].n, head[0].created)):
        if not row.complete:
            notes.append(f"{row.policy} is {row.status} and left out")
        elif row.value is not None and row.low is not None:
            alike = (*played(runs[row.run]), row.training_split)
            if less := fullest.get(alike):
                said = f"{less.run} (n = {less.n}) is left out"
                notes.append(f"{said}: the same was played in {row.run} (n = {row.n})")
            fullest[alike] = row
    found = []
    for row, backbone in heads:
        if row in fullest.values():
            weights = map(str, (runs[row.run].policy_options.get("checkpoint", ""), row.checkpoint))
            keys = (
                named.get(row.policy, ""), row.run, short_run(row.run),
                *(key for path in weights for key in (path, Path(path).name)),
                row.policy, row.policy.split(":")[-1],
            )  # fmt: skip
            found.append((row.policy, short_run(row.run), _value(row, backbone, *keys)))
    return found


def _value(row: Row | BesideRow, backbone: str, *keys: str) -> Value:
    """A score that is not None, with its standard error if it has an interval."""
    both = row.low is not None and row.high is not None
    error = ((row.high or 0.0) - (row.low or 0.0)) / (2 * Z95) if both else None
    names = tuple(key for key in (*keys, backbone) if key)
    return Value(row.value or 0.0, error, row.n or None, tuple(row.marks), backbone, names)


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
