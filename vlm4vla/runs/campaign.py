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
    """One policy on one suite."""

    row: CampaignRow
    suite: CampaignSuite
    request: RunRequest
    problem: str = ""
    """Why it cannot be run; empty if it can."""
    fix: str = ""


@dataclass(frozen=True)
class CellResult:
    """How a cell ended."""

    cell: CampaignCell
    summary: RunSummary | None = None
    """None where it was not run."""
    problem: str = ""
    fix: str = ""

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
        for name in wanted:
            if name not in known:
                raise UnknownName(f"{what} in campaign '{campaign.name}'", name, known)
    return [
        _cell(campaign, row, suite, checkpoints, template)
        for row in campaign.rows
        for suite in campaign.suites
        if (not policies or row.policy in policies) and (not suites or suite.suite in suites)
    ]


def carry_out(
    matrix: Sequence[CampaignCell],
    announce: Callable[[int, CampaignCell, RunPlan | None], None],
    run: Callable[[RunPlan], RunSummary],
    ray_address: str | None = None,
) -> list[CellResult]:
    """Run every cell that can be run, in one Ray; the results in the cells' order.

    `announce` is told each cell before it is run, with its plan, or None where it cannot be; `run`
    executes a plan.

    A cell whose check fails now (a damaged checkpoint, a missing asset) is reported like one whose
    checkpoint is missing. An interrupt ends the campaign with the cells so far.
    """
    results: list[CellResult] = []
    with ExitStack() as stack:
        started = False
        for number, cell in enumerate(matrix):
            plan = None
            problem, fix = cell.problem, cell.fix
            if not problem:
                try:
                    plan = resolve(cell.request)
                except BadInput as error:
                    problem, fix = error.message, error.fix
            announce(number, cell, plan)
            if plan is None:
                results.append(CellResult(cell, problem=problem, fix=fix))
                continue
            if not started:
                from vlm4vla.rollout.cluster import cluster

                stack.enter_context(cluster(ray_address))
                started = True
            try:
                summary = run(plan)
            except BenchError as error:  # e.g. the run is being written by another process
                results.append(CellResult(cell, problem=error.message, fix=error.fix))
                continue
            results.append(CellResult(cell, summary))
            if summary.interrupted:
                break
    return results


def _cell(
    campaign: CampaignFile,
    row: CampaignRow,
    suite: CampaignSuite,
    checkpoints: Path,
    template: RunRequest,
) -> CampaignCell:
    options = {**template.policy_options, **row.options}
    folder = checkpoints / campaign.checkpoint(row, suite)
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
    if not suite.suite.endswith((".yaml", ".yml")) and suite.suite not in suite_names():
        return CampaignCell(row, suite, request, f"This version has no suite '{suite.suite}' yet.")
    if row.checkpoint and not (folder / _CHECKPOINT).is_file():
        recipe = f" --recipe {suite.recipe}" if suite.recipe else ""
        return CampaignCell(
            row,
            suite,
            request,
            f"There is no checkpoint at {folder}.",
            f"bench train --backbone {row.policy}{recipe} --preset paper --data DATA "
            f"--out {folder}",
        )
    return CampaignCell(row, suite, request)
