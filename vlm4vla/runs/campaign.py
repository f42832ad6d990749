"""A campaign carried out: every cell that can be run is, the others say what they lack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from vlm4vla.core.errors import BadInput, BenchError, UnknownName
from vlm4vla.runs.execute import RunSummary
from vlm4vla.runs.plan import RunPlan, resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.suites.campaign import CampaignFile, CampaignRow, CampaignSuite
from vlm4vla.suites.files import suite_names

_CHECKPOINT = "vla.json"


@dataclass(frozen=True)
class CampaignCell:
    """One policy on one suite, before and after it was run."""

    row: CampaignRow
    suite: CampaignSuite
    request: RunRequest
    problem: str = ""
    """Why it cannot be run; empty if it can."""
    fix: str = ""
    summary: RunSummary | None = None
    """None where it was not run."""

    @property
    def complete(self) -> bool:
        """Every episode has an outcome."""
        return self.summary is not None and self.summary.complete


def cells(
    campaign: CampaignFile,
    checkpoints: Path,
    template: RunRequest,
    policies: Sequence[str] = (),
    suites: Sequence[str] = (),
) -> list[CampaignCell]:
    """The matrix, policy by policy.

    Args:
        campaign: what to run.
        checkpoints: folder of the trained policies.
        template: slots, retries, ...; its policy and suite are replaced.
        policies: only these; all if empty.
        suites: only these; all if empty.

    Raises:
        UnknownName: the campaign has no such policy or suite.
    """
    for what, wanted, known in (
        ("policy", policies, [row.policy for row in campaign.rows]),
        ("suite", suites, [suite.suite for suite in campaign.suites]),
    ):
        UnknownName.check(f"{what} in campaign '{campaign.name}'", wanted, known)
    return [
        _cell(row, suite, checkpoints / campaign.checkpoint(row, suite), template)
        for row in campaign.rows
        for suite in campaign.suites
        if (not policies or row.policy in policies) and (not suites or suite.suite in suites)
    ]


def carry_out(
    matrix: Sequence[CampaignCell],
    announce: Callable[[int, CampaignCell, RunPlan | None], None],
    run: Callable[[RunPlan], RunSummary],
    ray_address: str | None = None,
) -> list[CampaignCell]:
    """Run every cell that can be run, in one Ray; the cells as they ended, in their order.

    `announce` is told each cell before it is run, with its plan, or None where it cannot be; `run`
    executes a plan.

    A cell whose check fails now (a damaged checkpoint, a missing asset) is reported like one whose
    checkpoint is missing. An interrupt ends the campaign with the cells so far.
    """
    ended: list[CampaignCell] = []
    with ExitStack() as stack:
        started = False
        for number, cell in enumerate(matrix):
            plan = None
            if not cell.problem:
                try:
                    plan = resolve(cell.request)
                except BadInput as error:
                    cell = replace(cell, problem=error.message, fix=error.fix)
            announce(number, cell, plan)
            if plan is not None:
                if not started:
                    from vlm4vla.rollout.cluster import cluster

                    stack.enter_context(cluster(ray_address))
                    started = True
                try:
                    cell = replace(cell, summary=run(plan))
                except BenchError as error:  # e.g. the run is being written by another process
                    cell = replace(cell, problem=error.message, fix=error.fix)
            ended.append(cell)
            if cell.summary is not None and cell.summary.interrupted:
                break
    return ended


def _cell(
    row: CampaignRow, suite: CampaignSuite, folder: Path, template: RunRequest
) -> CampaignCell:
    options = {**template.policy_options, **row.options}
    if row.checkpoint:
        options["checkpoint"] = str(folder.expanduser().resolve())
    request = replace(
        template,
        policy=row.policy,
        suite=suite.suite,
        protocol=template.protocol or suite.protocol,
        execute=template.execute or suite.execute,
        policy_options=options,
    )
    problem = fix = ""
    if not suite.suite.endswith((".yaml", ".yml")) and suite.suite not in suite_names():
        problem = f"This version has no suite '{suite.suite}' yet."
    elif row.checkpoint and not (folder / _CHECKPOINT).is_file():
        recipe = f" --recipe {suite.recipe}" if suite.recipe else ""
        problem = f"There is no checkpoint at {folder}."
        fix = (
            f"bench train --backbone {row.policy}{recipe} --preset paper --data DATA --out {folder}"
        )
    return CampaignCell(row, suite, request, problem, fix)
