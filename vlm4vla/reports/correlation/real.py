"""Does a simulation rank policies as robots of metal do? SimplerEnv's real trials, and ours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vlm4vla.core.errors import BadInput
from vlm4vla.reports.board.board import board
from vlm4vla.reports.tables.table import Exhibit, ResultTable, columns, words
from vlm4vla.stats.rank_violation import mean_maximum_rank_violation
from vlm4vla.store import Store
from vlm4vla.store.published import RealTrials, real_trials

STUDY = "simpler_real"


@dataclass(frozen=True)
class RealAgreement:
    """One task: simulated success of some policies beside their real success."""

    origin: str
    """`paper`: simulated by SimplerEnv's authors; `ours`: by this harness, runs of the store."""
    suite: str
    task: str
    policies: tuple[str, ...]
    simulated: tuple[float, ...]
    real: tuple[float, ...]
    pearson: float | None
    """None where a side does not vary."""
    mmrv: float
    """Mean maximum rank violation of (simulated, real); 0 is best."""


def agreements(
    store: Store | None = None, named: Mapping[str, str] | None = None
) -> list[RealAgreement]:
    """Task by task, the paper's and, where the store has two of the policies or more, ours.

    `named`: policy of ours -> policy of the study, where its name is another.
    """
    trials = real_trials()
    tasks = dict.fromkeys((one.suite, one.task) for one in trials)
    ours = {} if store is None else _of_store(store, trials, named or {})
    found = []
    for suite, task in tasks:
        of = [one for one in trials if (one.suite, one.task) == (suite, task)]
        found.append(_agreement("paper", of, [one.simulated for one in of]))
        mine = [one for one in of if (suite, task, one.policy) in ours]
        if len(mine) > 1:
            rates = [ours[suite, task, one.policy] for one in mine]
            found.append(_agreement("ours", mine, rates))
    return found


def real_exhibit(store: Store | None, named: Mapping[str, str]) -> Exhibit:
    """As `agreements`, as a table."""
    found = agreements(store, named)
    numeric = ("n", "Pearson", "MMRV")
    heads = columns("task", "from", *numeric, "simulated / real", numeric=numeric, fold=True)
    body = []
    for one in found:
        pairs = zip(one.policies, one.simulated, one.real, strict=True)
        r = "-" if one.pearson is None else f"{one.pearson:.3f}"
        said = ", ".join(f"{policy} {100 * s:.1f}/{100 * r:.1f}" for policy, s, r in pairs)
        body.append(words(one.task, one.origin, len(one.policies), r, f"{one.mmrv:.3f}", said))
    notes = (
        "success in percent, simulated against real; MMRV: 0 is best, and counts real gaps",
        "of six policies or fewer: an order, no more",
    )
    remarks = () if any(one.origin == "ours" for one in found) else (_NONE_OF_OURS,)
    return Exhibit(
        (ResultTable("", heads, tuple(body), notes),), found, RealAgreement, remarks=remarks
    )


_NONE_OF_OURS = (
    "No two of these policies have runs in the store; --backbone POLICY=NAME names them."
)


def _of_store(
    store: Store, trials: Sequence[RealTrials], named: Mapping[str, str]
) -> dict[tuple[str, str, str], float]:
    """Our success of (suite, task, policy of the study); incomplete runs are no results."""
    known = {one.policy for one in trials}
    if strange := sorted(set(named.values()) - known):
        raise BadInput(f"The study has no policy {strange[0]}: {', '.join(sorted(known))}.")
    suites = {one.suite for one in trials} & {run.suite for run in store.runs()}
    rates: dict[tuple[str, str, str], float] = {}
    for row in board(store, suites).rows if suites else ():
        policy = named.get(row.policy, row.policy)
        if (
            policy in known
            and row.metric in ("success", "part")
            and row.complete
            and row.value is not None
        ):
            rates.setdefault((row.suite, row.task, policy), row.value)
    return rates


def _agreement(
    origin: str, trials: Sequence[RealTrials], simulated: Sequence[float]
) -> RealAgreement:
    real = [one.real for one in trials]
    r = math.nan
    if np.ptp(simulated) and np.ptp(real):
        r = float(np.corrcoef(simulated, real)[0, 1])
    return RealAgreement(
        origin, trials[0].suite, trials[0].task, tuple(one.policy for one in trials),
        tuple(simulated), tuple(real), None if math.isnan(r) else r,
        mean_maximum_rank_violation(simulated, real),
    )  # fmt: skip
