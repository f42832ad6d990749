"""`bench run`: roll a policy out over a suite, or a campaign's over its suites, into the store."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from rich.console import Console

from vlm4vla.cli.options import Spread, StoreOption, scalars
from vlm4vla.cli.progress import end_if_interrupted, watched
from vlm4vla.cli.screen import screen
from vlm4vla.core.errors import BadInput
from vlm4vla.reports.tables.numbers import counted
from vlm4vla.runs.campaign import CampaignCell, carry_out, cells
from vlm4vla.runs.execute import RunSummary
from vlm4vla.runs.plan import RunPlan, resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store
from vlm4vla.suites.campaign import CampaignFile, load_campaign


def run(
    request: Annotated[RunRequest, Spread(but=("tcp",), defaults={"policy": "", "suite": ""})],
    campaign: Annotated[
        str | None, "Instead: policies x suites of a campaign; both flags narrow it."
    ] = None,
    checkpoints: Annotated[Path, "Folder of a campaign's checkpoints."] = Path("checkpoints"),
    robot: Annotated[str | None, "Short for --set robot=..."] = None,
    labels: Annotated[str | None, "Short for --set labels=..."] = None,
    checkpoint: Annotated[Path | None, "Short for --policy-option checkpoint=..."] = None,
    store: StoreOption = None,
    dry_run: Annotated[bool, "Check and list only."] = False,
) -> None:
    """Roll a policy out over a suite. The same command continues where it was stopped."""
    short = {k: v for k, v in (("robot", robot), ("labels", labels)) if v is not None}
    options, policy_options = {**request.options, **scalars(short)}, {**request.policy_options}
    if checkpoint is not None:  # absolute: the policy's process may run in another folder
        policy_options["checkpoint"] = str(checkpoint.expanduser().resolve())
    request = replace(request, options=options, policy_options=policy_options)
    console = screen()
    if campaign is not None:
        _run_campaign(load_campaign(campaign), checkpoints, request, store, dry_run, console)
        return
    if not request.policy or not request.suite:
        raise BadInput(
            "Say what to run: a policy and a suite, or a campaign.",
            "bench run --policy expert --suite toy, or bench run --campaign vlm4vla_table1",
        )
    plan = resolve(request)
    if dry_run:
        _describe(plan, console)
        return
    with Store.open(store, create=True) as opened:
        summary = watched(plan, opened, console)
    _conclude(summary, console)


def _describe(plan: RunPlan, console: Console) -> None:
    """What would run."""
    suite, record = plan.suite, plan.record
    console.print(f"run        {record.id}")
    console.print(f"policy     {plan.policy}  execute {record.execution}")
    console.print(f"suite      {suite.name} ({suite.protocol}): {suite.summary}", soft_wrap=True)
    for task in suite.tasks:
        inits = [episode.key.init for episode in suite.episodes if episode.key.task == task]
        console.print(f"  {task:24} {len(inits):5} episodes, init {min(inits)} to {max(inits)}")
    if plan.interpreter is not None:
        console.print(f"python     {plan.interpreter.python}", soft_wrap=True)
    console.print(f"slots      {plan.slots}")
    for key, value in record.comparability.items():
        console.print(f"  {key:24} {value}", soft_wrap=True)


def _conclude(summary: RunSummary, console: Console) -> None:
    """Say how it ended and what to type next; end with the exit code."""
    if summary.interrupted:
        console.print(f"Interrupted. {summary.finished} of {summary.planned} episodes are stored.")
        console.print("The same command continues.")
        sys.exit(130)
    planned, missing = counted(summary.planned, "episode"), summary.planned - summary.finished
    if summary.errors:
        broken = counted(summary.errors, "episode")
        console.print(f"{broken} ended in an error: neither success nor failure.")
        console.print(f"Read: bench show {summary.run}   Again: the same command, --retry-errors")
    if missing:
        console.print(f"{missing} of {planned} missing: the run is incomplete.")
    if not summary.complete:
        sys.exit(1)


def _run_campaign(
    campaign: CampaignFile,
    checkpoints: Path,
    template: RunRequest,
    where: str | None,
    dry_run: bool,
    console: Console,
) -> None:
    """Run what can be run, say what the rest lacks; the same command continues."""
    if template.run_id is not None or "checkpoint" in template.policy_options:
        raise BadInput(
            "A campaign is many runs: it takes neither --run-id nor --checkpoint.",
            f"--checkpoints FOLDER, which holds {campaign.checkpoints}",
        )
    policies = [template.policy] if template.policy else []
    suites = [template.suite] if template.suite else []
    found = cells(campaign, checkpoints, template, policies, suites)
    if dry_run:
        for cell in found:
            console.print(f"{_name(cell)}: {cell.problem or 'can be run'}", soft_wrap=True)
        return

    def announce(number: int, cell: CampaignCell, plan: RunPlan | None) -> None:
        if plan is not None:
            console.print(f"[{number + 1}/{len(found)}] {_name(cell)}", style="bold")

    with Store.open(where, create=True) as store:
        results = carry_out(
            found, announce, lambda plan: watched(plan, store, console), template.ray_address
        )
    complete = sum(result.complete for result in results)
    console.print(f"{complete} of {len(found)} runs complete")
    for result in results:
        if not result.complete:
            console.print(f"  {_name(result)}: {_lack(result)}", soft_wrap=True)
            if result.fix:
                console.print(f"    {result.fix}", style="dim", soft_wrap=True)
    console.print(f"bench leaderboard --campaign {campaign.name}")
    stopped = any(result.summary and result.summary.interrupted for result in results)
    end_if_interrupted(stopped, console)
    if complete < len(found):
        sys.exit(1)


def _lack(result: CampaignCell) -> str:
    summary = result.summary
    if summary is None:
        return result.problem
    errors = f", {summary.errors} in error" if summary.errors else ""
    return f"incomplete, {summary.finished} of {summary.planned} episodes{errors}"


def _name(cell: CampaignCell) -> str:
    return f"{cell.row.policy} on {cell.suite.suite}"
