"""Studies of others that put several backbones through one recipe: does a better VLM do better?

Policies are those of `results/vlm_to_vla.csv` and of VLM4VLA's tables, scores those of
`results/vqa_scores.csv` without what makers report of models side by side with their own
(`self-reported`) and what was read in a search excerpt (`excerpt`).
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlm4vla.core.errors import UnknownName
from vlm4vla.reports.correlation.capability import correlated_suites, suite_axes
from vlm4vla.reports.scores import ALL, grouped
from vlm4vla.reports.tables.table import Exhibit, ResultTable, columns, words
from vlm4vla.stats import correlation as stats
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store.published import StudyRow, VqaScore, studies, vqa_scores

OURS = "VLM4VLA"
PRETRAINED = "pretrained VLM"
FEWEST = 5
"""Backbones: of four, no order has a p below 1/12."""
_SEED = 0
_LEFT_OUT = {"self-reported", "excerpt"}


@dataclass(frozen=True)
class StudySeries:
    """One recipe over several backbones, or over initialisations of one."""

    study: str
    table: str
    head: str
    suite: str
    training_split: str
    values: Mapping[str, float]
    score_on: str = ""
    scores: Mapping[str, float] | None = None
    """What the study itself scored the points at, where it did."""
    secondary: bool = False
    """Read in a note or a leaderboard, not in the paper."""

    @property
    def name(self) -> str:
        """Where it stands and what was done."""
        parts = (self.table, self.head, self.suite, self.training_split)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class StudyCorrelation:
    """One benchmark against one series."""

    study: str
    series: str
    suite: str
    benchmark: str
    n: int
    spearman: float
    p: float
    """Exact, two-sided, over all orders of up to ten backbones."""
    p_holm: float
    """Adjusted for all lines of the study."""
    backbones: tuple[str, ...]
    sources: int
    """Evaluations that the scores come from: more than one differ in toolkit and prompts."""
    secondary: bool


def study_names() -> list[str]:
    """Every study by name."""
    return [OURS, *dict.fromkeys(row.study for row in studies())]


def series_of(study: str) -> list[StudySeries]:
    """Everything that a study measured, a series for each table, recipe and suite.

    Raises UnknownName.
    """
    UnknownName.check("study", [study], study_names(), "--study NAME")
    if study == OURS:
        axes = suite_axes(correlated_suites(), True, None, {})
        return [
            StudySeries(OURS, "Tables 1 and 2", "", axis.name, "",
                        {name: point.value for name, point in axis.values.items()})
            for axis in axes
        ]  # fmt: skip
    rows = [row for row in studies() if row.study == study]
    keys = ("table", "head", "suite", "training_split", "metric")
    return [_series(group) for group in grouped(rows, *keys) if group[0].metric not in _CHAINS]


_CHAINS = {f"sr{k}" for k in range(1, 6)}
"""Parts of CALVIN's length."""


def _series(rows: Sequence[StudyRow]) -> StudySeries:
    first = rows[0]
    own = {row.initialisation: row.score for row in rows if row.score is not None}
    if own:
        points = {name: [r for r in rows if r.initialisation == name] for name in own}
    else:
        # Of several initialisations one is what the study compares backbones by.
        plain = [row for row in rows if row.initialisation == PRETRAINED] or rows
        plain = [row for row in plain if row.initialisation == plain[0].initialisation]
        points = {name: [r for r in plain if r.backbone == name]
                  for name in dict.fromkeys(r.backbone for r in plain if r.backbone)}  # fmt: skip
    values = {name: _over_tasks(found) for name, found in points.items()}
    secondary = any("secondary" in row.flags for row in rows)
    return StudySeries(
        first.study, first.table, first.head, first.suite, first.training_split, values,
        next((row.score_on for row in rows if row.score_on), ""), own or None, secondary,
    )  # fmt: skip


def _over_tasks(rows: Sequence[StudyRow]) -> float:
    """What is printed for all tasks, first if twice; else the mean over them."""
    whole = [row.value for row in rows if row.task == ALL]
    return whole[0] if whole else statistics.fmean(row.value for row in rows)


def study_correlations(
    study: str, benchmarks: Collection[str] = (), without: Collection[str] = ()
) -> list[StudyCorrelation]:
    """Every benchmark against every series of a study that has enough backbones.

    Args:
        study: one of `study_names`.
        benchmarks: only these.
        without: backbones to leave out, e.g. the authors' own.

    Raises:
        UnknownName: no such study, or a benchmark without scores.
    """
    known = [row for row in vqa_scores() if row.backbone and row.value is not None]
    known = [row for row in known if not _LEFT_OUT & set(row.flags)]
    own = {one.score_on for one in series_of(study) if one.score_on}
    names = dict.fromkeys([*(row.benchmark for row in known if row.unit != "position"), *own])
    UnknownName.check("benchmark", benchmarks, names, "`bench vqa list` shows all.")
    found = []
    for series in series_of(study):
        for name in benchmarks or names:
            scores, sources = _scores(series, name, known)
            both = [b for b in series.values if b in scores and b not in without]
            if len(both) >= FEWEST and (one := _line(series, name, both, scores, sources)):
                found.append(one)
    if not found:
        return []
    adjusted = holm([one.p for one in found])
    return [replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True)]


def _scores(
    series: StudySeries, benchmark: str, known: Sequence[VqaScore]
) -> tuple[Mapping[str, float], Mapping[str, str]]:
    """Backbone -> score, and -> its source.

    A study's own evaluation stands alone where there is one. Otherwise those that ran several
    models alike come before what each model's makers printed; but for VLM4VLA's backbones the
    makers' come first, as the paper takes official numbers.
    """
    if series.scores is not None:
        own = series.scores if benchmark == series.score_on else {}
        return own, dict.fromkeys(own, series.study)
    rows = [row for row in known if row.benchmark == benchmark]
    own_rows = [row for row in rows if row.source.startswith(series.study)]
    if own_rows:
        rows = own_rows
    elif series.study != OURS:
        rows = sorted(rows, key=lambda row: "evaluation" not in row.note)
    scores: dict[str, float] = {}
    sources: dict[str, str] = {}
    for row in rows:
        scores.setdefault(row.backbone, row.value or 0.0)
        sources.setdefault(row.backbone, row.source)
    return scores, sources


def _line(
    series: StudySeries, benchmark: str, both: Sequence[str], scores: Mapping[str, float],
    sources: Mapping[str, str],
) -> StudyCorrelation | None:  # fmt: skip
    x, y = (np.array([side[name] for name in both]) for side in (scores, series.values))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None  # nothing varies
    generator = np.random.default_rng(_SEED)
    rho = stats.permutation_test(x, y, stats.Kind.SPEARMAN, generator)
    return StudyCorrelation(
        series.study, series.name, series.suite, benchmark, len(both), rho.value, rho.p, rho.p,
        tuple(both), len({sources[name] for name in both}), series.secondary,
    )  # fmt: skip


def study_exhibit(study: str, benchmarks: Collection[str] = ()) -> Exhibit:
    """The correlations of a study, and which of its series are too small for any."""
    found = study_correlations(study, benchmarks)
    numeric = ("n", "rho", "p", "p (Holm)")
    heads = columns("series", "benchmark", *numeric, numeric=numeric, fold=True)
    body = tuple(
        words(one.series, one.benchmark, one.n, f"{one.spearman:.2f}", f"{one.p:.3g}",
              f"{one.p_holm:.3g}")
        for one in found
    )  # fmt: skip
    warnings = [
        f"{one.name}: {len(one.values)} backbones, {FEWEST} are needed"
        for one in series_of(study)
        if len(one.values) < FEWEST
    ]
    if any(one.secondary for one in found):
        warnings.append("its rows were read in a note or a leaderboard, not in the paper")
    if any(one.sources > 1 for one in found):
        warnings.append("scores come from several evaluations, whose toolkits and prompts differ")
    if not found and not warnings:
        warnings.append(f"no benchmark has scores of {FEWEST} of its backbones")
    remark = f"{study}: {len(found)} pairs; p exact, adjusted for all of them (Holm)."
    return Exhibit(
        (ResultTable("", heads, body),), found, StudyCorrelation, warnings=tuple(warnings),
        remarks=(remark,),
    )  # fmt: skip
