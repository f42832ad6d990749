"""GrinningFace's two questions apart: did the arm do it, and was it the right card?

Overall success is execution times recognition, recognition being counted among executed episodes
only. What a policy kept of its vision-language model shows in recognition on emojis it never
trained on (Val), beside those it did (ID, Train); a policy that cannot read is right once in three.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vlm4vla.reports.board.board import board
from vlm4vla.reports.marks import BEST, DECIDED, INCOMPLETE
from vlm4vla.reports.scores import ALL, Row
from vlm4vla.reports.tables.registry import NothingToShow, Selection, opened
from vlm4vla.reports.tables.text import record
from vlm4vla.stats.binomial import posterior
from vlm4vla.stats.intervals import Estimate
from vlm4vla.stats.product import decompose, product_draws
from vlm4vla.store import Store, Where
from vlm4vla.store.published import PublishedRow, published
from vlm4vla.studies.emoji.premise import CHANCE, SPLITS

if TYPE_CHECKING:
    import pandas as pd

FAMILY = "grinningface_"
SEED = 0
"""The same store always prints the same numbers."""


@dataclass(frozen=True)
class SplitScore:
    """One policy on one split. Rates are fractions of 1."""

    origin: str
    """`ours` or `paper`."""
    policy: str
    variant: str
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
class Gap:
    """What one policy loses from one split to another: the first less the second."""

    origin: str
    policy: str
    variant: str
    first: str
    second: str
    recognition: Estimate | None
    overall: Estimate
    p_loses: float | None
    """Posterior probability that recognition is worse on the second."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Whose it is."""
        return self.origin, self.policy, self.variant


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
    with opened(store, Selection(published=published)) as read:
        return pd.DataFrame(list(map(record, of_store(read, policies, published).splits)))


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
    if store is not None and (
        suites := sorted({r.suite for r in runs if r.suite.startswith(FAMILY)})
    ):
        found = board(store, suites, policies)
        warnings = tuple(n.text for n in found.notices if n.kind != "unpaired")
        for suite in found.suites:
            for rows in found.of_suite(suite):
                if (one := _of_run(rows, generator)) is not None:
                    scores.append(one)
    if printed:
        scores += _of_paper(published(), generator)
    if not scores:
        raise NothingToShow(
            "The store holds no finished episode of the emoji task.",
            "bench run --policy expert --suite grinningface_val, or add --published",
        )
    scores.sort(key=lambda s: (s.origin, s.policy, s.variant, SPLITS.index(s.split)))
    return Decomposed(tuple(scores), tuple(_gaps(scores, generator)), warnings)


def _of_run(rows: Sequence[Row], generator: np.random.Generator) -> SplitScore | None:
    named = {row.metric: row for row in rows if row.task == ALL}
    execution, recognition = named.get("execution"), named.get("recognition")
    split = rows[0].suite.removeprefix(FAMILY)
    if execution is None or recognition is None or not execution.n or split not in SPLITS:
        return None
    chance = recognition.chance or CHANCE
    variant = " ".join(part for part in (execution.policy_options, execution.options) if part)
    return _score(
        "ours", execution.policy, variant, split, execution.n, execution.k or 0,
        recognition.k or 0, generator, chance, execution.errors, execution.marks,
        execution.comparability, execution.run,
    )  # fmt: skip


def _of_paper(
    table: Sequence[PublishedRow], generator: np.random.Generator
) -> list[SplitScore]:  # fmt: skip
    found = []
    rows = [row for row in table if row.suite.startswith(FAMILY) and "mean" in row.variant]
    for suite in dict.fromkeys(row.suite for row in rows):
        parts: Mapping[str, PublishedRow] = {r.metric: r for r in rows if r.suite == suite}
        n = parts["execution"].n or 0
        executed = round(n * (parts["execution"].value or 0.0))
        recognised = round(executed * (parts["recognition"].value or 0.0))
        found.append(
            _score(
                "paper", parts["execution"].model, "5 evaluation seeds of one checkpoint",
                suite.removeprefix(FAMILY), n, executed, recognised, generator, CHANCE, 0,
                (BEST.name,), "", f"GrinningFace {parts['execution'].table}",
            )
        )  # fmt: skip
    return found


def _score(
    origin: str,
    policy: str,
    variant: str,
    split: str,
    n: int,
    executed: int,
    recognised: int,
    generator: np.random.Generator,
    chance: float,
    errors: int,
    marks: tuple[str, ...],
    comparability: str,
    source: str,
) -> SplitScore:
    parts = decompose(executed, recognised, n, generator, chance)
    return SplitScore(
        origin, policy, variant, split, n, executed, recognised, parts.execution,
        parts.recognition, parts.overall, parts.p_chance, errors, marks, comparability, source,
    )  # fmt: skip


def _gaps(scores: Sequence[SplitScore], generator: np.random.Generator) -> list[Gap]:
    found = []
    groups: dict[tuple[str, ...], dict[str, SplitScore]] = {}
    for one in scores:
        if not {INCOMPLETE.name, DECIDED.name} & set(one.marks):
            key = (one.origin, one.policy, one.variant, one.comparability)
            groups.setdefault(key, {})[one.split] = one
    for (origin, policy, variant, _), splits in groups.items():
        for first, second in (("id", "val"), ("train", "val")):
            if first in splits and second in splits:
                a, b = splits[first], splits[second]
                found.append(_gap(origin, policy, variant, a, b, generator))
    return found


def _gap(
    origin: str,
    policy: str,
    variant: str,
    a: SplitScore,
    b: SplitScore,
    generator: np.random.Generator,
) -> Gap:
    whole = product_draws(a.executed, a.recognised, a.n, generator) - product_draws(
        b.executed, b.recognised, b.n, generator
    )
    recognition, loses = None, None
    if a.recognition is not None and b.recognition is not None:
        read = posterior(a.recognised, a.executed, generator) - posterior(
            b.recognised, b.executed, generator
        )
        recognition = _between(a.recognition.value - b.recognition.value, read)
        loses = float(np.mean(read > 0))
    return Gap(
        origin, policy, variant, a.split, b.split, recognition,
        _between(a.overall.value - b.overall.value, whole), loses,
    )  # fmt: skip


def _between(value: float, draws: np.ndarray) -> Estimate:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(value, float(low), float(high))
