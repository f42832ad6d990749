"""Two runs set against each other: what may be compared, and what must be said beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from vlm4vla.core.errors import BadInput
from vlm4vla.core.result import Metric, Outcome
from vlm4vla.reports.compare.caveats import caveats, of_checkpoints
from vlm4vla.reports.compare.contrast import Contrast, Rows, anytime, paired, unpaired
from vlm4vla.reports.compare.pairing import ALPHA, Terms, find_run, pair_order, shared_metrics
from vlm4vla.reports.compare.verdict import Verdict, verdict
from vlm4vla.reports.scores import ALL, Row, rows_of, short_hash, status_of
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store import RunRecord, Store, Where, reading
from vlm4vla.store.records import RunStatus

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    run: str
    policy: str
    label: str
    """What the verdict calls it: its policy, or its run where both have the same one."""
    status: str
    marks: tuple[str, ...]
    """Names of `reports.marks`."""
    checkpoint: str
    training_split: str
    execution: str
    comparability: str
    errors: int
    scores: tuple[Row, ...]
    """Its own scores over all of its episodes, compared or not."""


@dataclass(frozen=True)
class Comparison:
    """First less second."""

    suite: str
    first: Side
    second: Side
    contrasts: tuple[Contrast, ...]
    """The headline first, then the other metrics."""
    by_task: tuple[Contrast, ...]
    """The headline on each task, if there are several; p also adjusted by Holm."""
    notes: tuple[str, ...]
    verdict: Verdict
    alpha: float
    margin: float | None

    @property
    def headline(self) -> Contrast:
        """What the verdict speaks of."""
        return self.contrasts[0]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run: both are complete, or a rule decided."""
        sides = (self.first, self.second)
        return not any(side.status.startswith(RunStatus.INCOMPLETE) for side in sides)

    def facts(self) -> dict[str, object]:
        """The comparison as JSON shows it."""
        told = asdict(self)
        for name in ("contrasts", "by_task"):
            told[name] = [line.facts() for line in getattr(self, name)]
        verdict = told.pop("verdict")
        return {"verdict": verdict["text"], "winner": verdict["winner"], **told}


def compare(
    first: str,
    second: str,
    *,
    store: Where = None,
    suite: str | None = None,
    metric: str | None = None,
    unpaired: bool = False,
    allow_different: bool = False,
    alpha: float = ALPHA,
    margin: float | None = None,
) -> pd.DataFrame:
    """Compare two stored runs: a row for each metric, the headline first.

    Args:
        first: id of a run (or its beginning or end), or a policy: then its latest run.
        second: as `first`.
        store: an open store, its file or URL; by default `VLM4VLA_STORE` or ./results/bench.db.
        suite: where policies are named and have runs of several suites.
        metric: what the verdict is about; the suite's headline by default.
        unpaired: compare all episodes of either run, identical or not.
        allow_different: compare runs of different comparability, marked.
        alpha: two-sided level.
        margin: greatest difference that is still called none, for an equivalence test: points for
            rates, else the metric's unit.

    Returns:
        The fields of `Contrast`, with `first_run`, `second_run`; `attrs` holds `verdict` and
        `notes`.

    Raises:
        BadInput: no such run, nothing in common, or different comparability.
    """
    import pandas as pd

    terms = Terms(metric, margin, alpha, unpaired, allow_different)
    with reading(store) as opened:
        found = comparison(opened, first, second, suite, terms)
    runs = {"first_run": found.first.run, "second_run": found.second.run}
    lines = [*found.contrasts, *found.by_task]
    table = pd.DataFrame([runs | line.facts() for line in lines])
    table.attrs = {"verdict": found.verdict.text, "notes": list(found.notes)}
    return table


def comparison(
    store: Store, first: str, second: str, suite: str | None = None, terms: Terms | None = None
) -> Comparison:
    """Read the store, check that the runs may be compared, and compare.

    Args:
        store: where the runs are.
        first: id of a run, or a policy.
        second: id of a run, or a policy.
        suite: where policies have runs of several.
        terms: on which terms.

    Raises:
        BadInput: no such run, nothing in common, or different comparability.
    """
    terms = terms or Terms()
    terms.check()
    runs = find_run(store, first, suite), find_run(store, second, suite)
    metrics = shared_metrics(runs, terms)
    rows = tuple({row.key: row for row in store.episodes(run.id)} for run in runs)
    if not rows[0].keys() & rows[1].keys() and not terms.unpaired:
        raise BadInput(
            f"Runs {runs[0].id} and {runs[1].id} have no finished episode in common.",
            "Run both on the same suite, --init and --seed; or add --unpaired.",
        )
    sides = _sides(runs, rows)
    stopped = any(side.status.startswith(RunStatus.DECIDED) for side in sides)
    if terms.unpaired and stopped:
        raise BadInput(
            "A run that a sequential comparison stopped can only be compared pair by pair.",
            "Drop --unpaired.",
        )
    if metrics[0].kind == "rate" and terms.margin is not None:
        terms = replace(terms, margin=terms.margin / 100)
    by_task: tuple[Contrast, ...] = ()
    if stopped or terms.sequential:
        contrasts = _anytime(runs, rows, metrics, terms)
    else:
        contrasts = _fixed(rows, metrics, terms)
        by_task = _by_task(rows, metrics[0], terms)
    return Comparison(
        suite=runs[0].suite,
        first=sides[0],
        second=sides[1],
        contrasts=contrasts,
        by_task=by_task,
        notes=tuple(caveats(runs, rows, contrasts[0], contrasts[1:])),
        verdict=verdict(
            contrasts[0],
            sides[0].label,
            sides[1].label,
            terms.alpha,
            terms.margin,
            of_checkpoints(runs),
        ),
        alpha=terms.alpha,
        margin=terms.margin,
    )


def _fixed(rows: Sequence[Rows], metrics: Sequence[Metric], terms: Terms) -> tuple[Contrast, ...]:
    # The margin has the unit of the headline and says nothing of other metrics.
    margins = [terms.margin, *[None] * (len(metrics) - 1)]
    do = unpaired if terms.unpaired else paired
    pairs = zip(metrics, margins, strict=True)
    return tuple(do(one, rows[0], rows[1], ALL, terms.alpha, m) for one, m in pairs)


def _anytime(
    runs: Sequence[RunRecord], rows: Sequence[Rows], metrics: Sequence[Metric], terms: Terms
) -> tuple[Contrast, ...]:
    """Every metric in the order of the rule; a mean's span is known of the headline only."""
    order = pair_order(rows[0].keys() | rows[1].keys())
    return tuple(
        anytime(one, rows[0], rows[1], order, terms.alpha, terms.span, _step(runs, one))
        for one in metrics
        if one.kind == "rate" or one is metrics[0]
    )


def _step(runs: Sequence[RunRecord], metric: Metric) -> int | None:
    """After how many pairs STEP decided between these two runs in this metric, if it did."""
    for run, other in (runs, runs[::-1]):
        wanted = {"rule": "STEP", "against": other.id, "metric": metric.name}
        found = run.decision or {}
        if wanted.items() <= found.items():
            pairs = found.get("pairs")
            return pairs if isinstance(pairs, int) else None
    return None


def _by_task(rows: Sequence[Rows], metric: Metric, terms: Terms) -> tuple[Contrast, ...]:
    tasks = list(dict.fromkeys(key.task for key in sorted(rows[0].keys() & rows[1].keys())))
    if len(tasks) < 2:
        return ()
    lines, do = [], unpaired if terms.unpaired else paired
    for task in tasks:
        own = [{key: row for key, row in side.items() if key.task == task} for side in rows]
        lines.append(do(metric, own[0], own[1], task, terms.alpha))
    adjusted = iter(holm([line.p for line in lines if line.p is not None]))
    return tuple(
        replace(line, p_adjusted=float(next(adjusted)) if line.p is not None else None)
        for line in lines
    )


def _sides(runs: Sequence[RunRecord], rows: Sequence[Rows]) -> list[Side]:
    same = runs[0].policy == runs[1].policy
    sides = []
    for run, done in zip(runs, rows, strict=True):
        scores = [row for row in rows_of(run, list(done.values())) if row.task == ALL]
        sides.append(
            Side(
                run=run.id,
                policy=run.policy,
                label=run.id if same else run.policy,
                status=status_of(run, len(done), len(run.plan)),
                marks=scores[0].marks,
                checkpoint=run.checkpoint,
                training_split=run.training_split,
                execution=run.execution,
                comparability=short_hash(run.comparability),
                errors=sum(row.outcome is Outcome.ERROR for row in done.values()),
                scores=tuple(scores),
            )
        )
    return sides
