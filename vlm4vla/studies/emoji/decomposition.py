"""GrinningFace's two questions apart: did the arm do it, and was it the right card?

Overall success is execution times recognition, recognition being counted among executed episodes
only. What a policy kept of its vision-language model shows in recognition on emojis it never
trained on (Val), beside those it did (ID, Train); a policy that cannot read is right once in three.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vlm4vla.reports.board.board import board
from vlm4vla.reports.marks import BEST, DECIDED, INCOMPLETE
from vlm4vla.reports.scores import ALL, Row
from vlm4vla.reports.tables.registry import NothingToShow, opened
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.reports.tables.text import record
from vlm4vla.stats.binomial import posterior
from vlm4vla.stats.intervals import Estimate
from vlm4vla.stats.product import decompose, product_draws
from vlm4vla.store import Store, Where
from vlm4vla.store.published import published
from vlm4vla.studies.emoji.premise import CHANCE, SPLITS

if TYPE_CHECKING:
    import pandas as pd

FAMILY = "grinningface_"
SEED = 0
"""The same store always prints the same numbers."""


@dataclass(frozen=True)
class Evaluated:
    """Whose results they are."""

    origin: str
    """`ours` or `paper`."""
    policy: str
    variant: str

    @property
    def key(self) -> tuple[str, str, str]:
        """All of it."""
        return self.origin, self.policy, self.variant


@dataclass(frozen=True)
class SplitScore(Evaluated):
    """One policy on one split. Rates are fractions of 1."""

    split: str
    n: int
    """Episodes that count."""
    executed: int
    recognised: int
    execution: Estimate
    recognition: Estimate | None
    """Of the executed episodes; None where there are none."""
    overall: Estimate
    p_chance: float | None
    """Exact two-sided p that recognition is at chance."""
    errors: int
    marks: tuple[str, ...]
    comparability: str
    source: str


@dataclass(frozen=True)
class Gap(Evaluated):
    """What one policy loses from one split to another: the first less the second."""

    first: str
    second: str
    recognition: Estimate | None
    overall: Estimate
    p_loses: float | None
    """Posterior probability that recognition is worse on the second."""


@dataclass(frozen=True)
class Decomposed:
    """Everything the report shows."""

    splits: tuple[SplitScore, ...]
    gaps: tuple[Gap, ...]
    warnings: tuple[str, ...]


def decomposition(
    store: Where = None, policy: str | Collection[str] | None = None, published: bool = False
) -> pd.DataFrame:
    """Execution, recognition and overall success of every policy and split, as a data frame.

    Args:
        store: an open store, its file or URL; by default `VLM4VLA_STORE` or ./results/bench.db.
        policy: only this policy, or these.
        published: add what the GrinningFace paper prints.

    Raises:
        StoreError: the store cannot be read.
        NothingToShow: it holds no run of the emoji task.
    """
    import pandas as pd

    policies = [policy] if isinstance(policy, str) else policy or ()
    return pd.DataFrame(list(map(record, decomposed(store, policies, published).splits)))


def decomposed(
    store: Where = None, policies: Collection[str] = (), printed: bool = False
) -> Decomposed:
    """As `decomposition`, as records, with the gaps between the splits."""
    with opened(store, Selection(published=printed)) as read:
        return of_store(read, policies, printed)


def of_store(
    store: Store | None, policies: Collection[str] = (), printed: bool = False
) -> Decomposed:
    """As `decomposed`, of an open store, or of none. Raises NothingToShow."""
    generator = np.random.default_rng(SEED)
    scores: list[SplitScore] = []
    warnings: tuple[str, ...] = ()
    runs = store.runs() if store is not None else []
    suites = sorted({run.suite for run in runs if run.suite.startswith(FAMILY)})
    if store is not None and suites:
        found = board(store, suites, policies)
        warnings = tuple(text for kind, text in found.notices if kind != "unpaired")
        of_runs = (rows for suite in found.suites for rows in found.of_suite(suite))
        scores = [one for rows in of_runs if (one := _of_run(rows, generator)) is not None]
    if printed:
        scores += _of_paper(generator)
    if not scores:
        raise NothingToShow(
            "The store holds no finished episode of the emoji task.",
            "bench run --policy expert --suite grinningface_val, or add --published",
        )
    scores.sort(key=lambda one: (*one.key, SPLITS.index(one.split)))
    return Decomposed(tuple(scores), tuple(_gaps(scores, generator)), warnings)


def _of_run(rows: Sequence[Row], generator: np.random.Generator) -> SplitScore | None:
    named = {row.metric: row for row in rows if row.task == ALL}
    run, recognition = named.get("execution"), named.get("recognition")
    split = rows[0].suite.removeprefix(FAMILY)
    if run is None or recognition is None or not run.n or split not in SPLITS:
        return None
    executed, recognised = run.k or 0, recognition.k or 0
    parts = decompose(executed, recognised, run.n, generator, recognition.chance or CHANCE)
    variant = " ".join(part for part in (run.policy_options, run.options) if part)
    return SplitScore(
        "ours", run.policy, variant, split, run.n, executed, recognised, parts.execution,
        parts.recognition, parts.overall, parts.p_chance, run.errors, run.marks,
        run.comparability, run.run,
    )  # fmt: skip


def _of_paper(generator: np.random.Generator) -> list[SplitScore]:
    scores = []
    rows = [r for r in published() if r.suite.startswith(FAMILY) and "mean" in r.variant]
    for suite in dict.fromkeys(row.suite for row in rows):
        printed = {row.metric: row for row in rows if row.suite == suite}
        row = printed["execution"]
        n = row.n or 0
        executed = round(n * (row.value or 0.0))
        recognised = round(executed * (printed["recognition"].value or 0.0))
        parts = decompose(executed, recognised, n, generator, CHANCE)
        scores.append(
            SplitScore(
                "paper", row.model, "5 evaluation seeds of one checkpoint",
                suite.removeprefix(FAMILY), n, executed, recognised, parts.execution,
                parts.recognition, parts.overall, parts.p_chance, 0, (BEST.name,), "",
                f"GrinningFace {row.table}",
            )
        )  # fmt: skip
    return scores


def _gaps(scores: Sequence[SplitScore], generator: np.random.Generator) -> Iterator[Gap]:
    comparable: dict[tuple[str, ...], dict[str, SplitScore]] = {}
    for one in scores:
        if not {INCOMPLETE.name, DECIDED.name} & set(one.marks):
            comparable.setdefault((*one.key, one.comparability), {})[one.split] = one
    for splits in comparable.values():
        for first, second in (("id", "val"), ("train", "val")):
            if first in splits and second in splits:
                yield _gap(splits[first], splits[second], generator)


def _gap(a: SplitScore, b: SplitScore, generator: np.random.Generator) -> Gap:
    whole = [product_draws(one.executed, one.recognised, one.n, generator) for one in (a, b)]
    overall = _difference(a.overall, b.overall, whole[0] - whole[1])
    recognition, loses = None, None
    if a.recognition is not None and b.recognition is not None:
        read = [posterior(one.recognised, one.executed, generator) for one in (a, b)]
        recognition = _difference(a.recognition, b.recognition, read[0] - read[1])
        loses = float(np.mean(read[0] > read[1]))
    return Gap(*a.key, a.split, b.split, recognition, overall, loses)


def _difference(first: Estimate, second: Estimate, draws: np.ndarray) -> Estimate:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(first.value - second.value, float(low), float(high))
