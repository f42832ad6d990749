"""`bench run --campaign` and `bench leaderboard --campaign`: a table's worth of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from vlm4vla.core.errors import BadInput

if TYPE_CHECKING:
    from vlm4vla.runs.campaign import CampaignCell
    from vlm4vla.runs.execute import RunSummary
    from vlm4vla.runs.plan import RunPlan
    from vlm4vla.runs.request import RunRequest


def run_campaign(
    name: str,
    checkpoints: Path,
    template: RunRequest,
    where: str | None,
    dry_run: bool,
) -> None:
    """Run what can be run, say what the rest lacks; the same command continues."""
    from vlm4vla.cli.progress import LiveProgress
    from vlm4vla.runs.campaign import carry_out, cells
    from vlm4vla.runs.execute import execute
    from vlm4vla.store import Store
    from vlm4vla.suites.campaign import load_campaign

    console = Console(highlight=False)
    campaign = load_campaign(name)
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
            console.print(Text(f"{_name(cell)}: {cell.problem or 'can be run'}"), soft_wrap=True)
        return
    with Store.open(where, create=True) as store:

        def run(plan: RunPlan) -> RunSummary:
            with LiveProgress(plan, console) as progress:
                return execute(plan, store, progress.observe)

        def announce(number: int, cell: CampaignCell, plan: RunPlan | None) -> None:
            if plan is not None:
                console.print(Text(f"[{number + 1}/{len(found)}] {_name(cell)}", style="bold"))

        results = carry_out(found, announce, run, template.ray_address)
    _conclude(results, len(found), campaign.name, console)


def _conclude(results: list[CampaignCell], planned: int, name: str, console: Console) -> None:
    """A line for every cell; end with the exit code."""
    complete = sum(result.complete for result in results)
    console.print(f"{complete} of {planned} runs complete")
    for result in results:
        if not result.complete:
            console.print(Text(f"  {_name(result)}: {_lack(result)}"), soft_wrap=True)
            if result.fix:
                console.print(Text(f"    {result.fix}", style="dim"), soft_wrap=True)
    console.print(f"bench leaderboard --campaign {name}")
    if any(result.summary is not None and result.summary.interrupted for result in results):
        console.print("Interrupted. The same command continues.")
        sys.exit(130)
    if complete < planned:
        sys.exit(1)


def _lack(result: CampaignCell) -> str:
    summary = result.summary
    if summary is None:
        return result.problem
    errors = f", {summary.errors} in error" if summary.errors else ""
    return f"incomplete, {summary.finished} of {summary.planned} episodes{errors}"


def _name(cell: CampaignCell) -> str:
    return f"{cell.row.policy} on {cell.suite.suite}"
