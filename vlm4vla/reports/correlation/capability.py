"""The two axes of a correlation: how good a backbone is without a robot, and as a policy."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import UnknownName
from vlm4vla.reports.board.board import board
from vlm4vla.reports.board.printed import with_interval
from vlm4vla.stats.intervals import Z95
from vlm4vla.store import Store
from vlm4vla.store.library import Score
from vlm4vla.store.published import PublishedRow, VqaScore, backbone_of, published, vqa_scores
from vlm4vla.suites.files import headline_names


@dataclass(frozen=True)
class Value:
    """One backbone on one axis."""

    value: float
    standard_error: float | None = None
    n: int | None = None
    origin: str = ""
    """Where it comes from, in words."""
    marks: tuple[str, ...] = ()
    """What must be said beside it: `down-weighted`, `fine-tuned`, `best of many`, ..."""


@dataclass(frozen=True)
class Axis:
    """One quantity over backbones."""

    name: str
    metric: str
    values: Mapping[str, Value]
    ours: bool
    """Measured by this harness, as opposed to printed by others or imported."""
    notes: tuple[str, ...] = ()


def correlated_suites() -> list[str]:
    """Of which suites the papers print a correlation (VLM4VLA, Fig. 3), in their order."""
    return list(dict.fromkeys(row.suite for row in published() if row.metric == "pearson"))


def vqa_axis(name: str, store: Store | None = None, shipped_first: bool = False) -> Axis:
    """Scores of every backbone on the benchmark `name`.

    They come either from the store (measured, or imported by the user) or from what the package
    ships: the two are never mixed on one axis.

    Args:
        name: the benchmark.
        store: where else to look.
        shipped_first: prefer the shipped scores where both have the benchmark.

    Raises:
        UnknownName: no such benchmark; near names are offered.
    """
    kinds, scores = _stored(store)
    mine = [score for score in scores if score.benchmark == name and score.backbone]
    shipped = [s for s in vqa_scores() if s.benchmark == name and s.backbone]
    if mine and not (shipped and shipped_first):
        return _own_axis(name, mine, kinds)
    if not shipped:
        known = {s.benchmark for s in scores if s.backbone}
        known |= {s.benchmark for s in vqa_scores() if s.backbone and s.printed}
        raise UnknownName("benchmark", name, known, "`bench vqa list` shows all.")
    return _shipped_axis(name, shipped)


def published_axis(suite: str) -> Axis:
    """What VLM4VLA prints for its backbones on `suite`: the baselines of Tables 1 and 2.

    Raises:
        UnknownName: the paper has no such suite.
    """
    rows = [
        row
        for row in published()
        if row.source.startswith("VLM4VLA") and row.variant == "VLM4VLA baseline"
        and row.task == "all" and row.metric in headline_names()
        and row.table in ("Table 1", "Table 2")
    ]  # fmt: skip
    chosen = [row for row in rows if row.suite == suite]
    if not chosen:
        known = {row.suite for row in rows}
        raise UnknownName("suite in VLM4VLA's Tables 1 and 2", suite, known)
    found = {row.backbone: _printed_value(row) for row in chosen}
    notes = []
    if any(row.selection == "best" for row in chosen):
        notes.append(
            "y: the best of several checkpoints and horizons, chosen on the episodes reported"
        )
    return Axis(suite, chosen[0].metric, found, ours=False, notes=tuple(notes))


def measured_axis(store: Store, suite: str, named: Mapping[str, str]) -> Axis:
    """The headline of every complete run of `suite`, by backbone.

    The backbone is what `named` says of the policy, or its option `backbone`, or its name.
    Several runs of one backbone (checkpoints, training seeds) are averaged.

    Raises:
        UnknownName: the store holds no run of the suite.
    """
    shown = board(store, [suite])
    grouped: dict[str, list[tuple[float, float, int]]] = {}
    marks: dict[str, dict[str, None]] = {}
    notes, metric = list(shown.warnings), ""
    options = {run.id: run.policy_options for run in store.runs()}
    for rows in shown.of_suite(suite):
        row = next((one for one in rows if one.headline), rows[0])
        metric = row.metric
        backbone = backbone_behind(row.policy, options[row.run], named)
        if not backbone:
            notes.append(f"{row.policy} has no backbone: --backbone {row.policy}=NAME gives it one")
        elif not row.complete:
            notes.append(f"{row.policy} is {row.status} and left out")
        elif row.value is not None and row.low is not None and row.high is not None:
            error = (row.high - row.low) / (2 * Z95)
            grouped.setdefault(backbone, []).append((row.value, error, row.n))
            marks.setdefault(backbone, {}).update(dict.fromkeys(row.marks))
    values = {}
    for backbone, found in grouped.items():
        m = len(found)
        values[backbone] = Value(
            value=sum(value for value, _, _ in found) / m,
            standard_error=sum(error**2 for _, error, _ in found) ** 0.5 / m,
            n=sum(n for _, _, n in found),
            origin="measured" if m == 1 else f"mean of {m} runs",
            marks=tuple(marks[backbone]),
        )
    return Axis(suite, metric, values, ours=True, notes=tuple(notes))


def backbone_behind(policy: str, options: Mapping[str, JSON], named: Mapping[str, str]) -> str:
    """The backbone of a policy: what `named` says, or its option `backbone`, or its name."""
    stated = str(options.get("backbone", ""))
    return named.get(policy) or backbone_of(stated or policy) or stated


def measured_suites(store: Store) -> Collection[str]:
    """Suites of which the store holds runs, in the order of their first run."""
    return list(dict.fromkeys(run.suite for run in store.runs()))


def _stored(store: Store | None) -> tuple[Mapping[str, str], Sequence[Score]]:
    if store is None:
        return {}, []
    library = store.library
    return {source.id: source.kind for source in library.sources()}, library.scores()


def _own_axis(name: str, scores: Sequence[Score], kinds: Mapping[str, str]) -> Axis:
    latest = {score.backbone: score for score in scores}
    values = {
        backbone: Value(
            value=score.value,
            standard_error=_binomial_error(score.value, score.n),
            n=score.n,
            origin=kinds[score.source],
        )
        for backbone, score in latest.items()
    }  # fmt: skip
    ours = all(kinds[score.source] == "measured" for score in latest.values())
    notes = [] if ours else ["x: imported, not measured by this harness"]
    return Axis(name, scores[-1].metric, values, ours, tuple(notes))


def _shipped_axis(name: str, scores: Sequence[VqaScore]) -> Axis:
    values: dict[str, Value] = {}
    for score in scores:
        if score.value is not None and score.backbone not in values:
            error = _binomial_error(score.value, score.n)
            values[score.backbone] = Value(score.value, error, score.n, score.source, score.flags)
    notes = []
    sources = {one.origin for one in values.values()}
    if len(sources) > 1:
        notes.append(f"x: from {len(sources)} sources, whose toolkits and prompts differ")
    for mark, words in _MARKS.items():
        marked = [backbone for backbone, one in values.items() if mark in one.marks]
        if marked:
            which = "" if len(marked) == len(values) else f" ({', '.join(marked)})"
            notes.append(f"x: {words}{which}")
    metric = next((score.metric for score in scores if score.metric), "")
    return Axis(name, metric, values, ours=False, notes=tuple(notes))


_MARKS = {
    "digitised": "read off a figure: its numbers were never published and cannot be recomputed",
    "down-weighted": "lowered by a weight that the paper does not disclose",
    "fine-tuned": "after fine-tuning on the benchmark itself",
    "unverified": "from an aggregator, unverified",
}


def _printed_value(row: PublishedRow) -> Value:
    found = with_interval(row, published())
    if found is None:
        raise ValueError(f"{row.table} prints no value for {row.model}")
    marks = ("best of many",) if row.selection == "best" else ()
    return Value(
        found.value, found.standard_error, row.n, f"{row.source}, {row.table}", (*marks, *row.flags)
    )


def _binomial_error(value: float, n: int | None) -> float | None:
    return (value * (1 - value) / n) ** 0.5 if n and 0.0 <= value <= 1.0 else None
