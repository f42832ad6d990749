"""`bench run`: roll a policy out over a suite, into the store."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console

from vlm4vla.cli.options import StoreOption, scalars
from vlm4vla.cli.signature import Spread
from vlm4vla.core.errors import BadInput
from vlm4vla.runs.request import RunRequest

if TYPE_CHECKING:
    from vlm4vla.runs.execute import RunSummary
    from vlm4vla.runs.plan import RunPlan


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
    from vlm4vla.runs.plan import resolve

    short = {k: v for k, v in (("robot", robot), ("labels", labels)) if v is not None}
    options, policy_options = {**request.options, **scalars(short)}, {**request.policy_options}
    if checkpoint is not None:  # absolute: the policy's process may run in another folder
        policy_options["checkpoint"] = str(checkpoint.expanduser().resolve())
    request = replace(request, options=options, policy_options=policy_options)
    if campaign is not None:
        from vlm4vla.cli.campaign import run_campaign

        run_campaign(campaign, checkpoints, request, store, dry_run)
        return
    if not request.policy or not request.suite:
        raise BadInput(
            "Say what to run: a policy and a suite, or a campaign.",
            "bench run --policy expert --suite toy, or bench run --campaign vlm4vla_table1",
        )
    plan = resolve(request)
    console = Console(highlight=False)
    if dry_run:
        _describe(plan, console)
        return
    _conclude(_execute(plan, store, console), plan, console)


def _execute(plan: RunPlan, where: str | None, console: Console) -> RunSummary:
    from vlm4vla.cli.progress import LiveProgress
    from vlm4vla.runs.execute import execute
    from vlm4vla.store import Store

    with Store.open(where, create=True) as store, LiveProgress(plan, console) as progress:
        return execute(plan, store, progress.observe)


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


def _conclude(summary: RunSummary, plan: RunPlan, console: Console) -> None:
    """Say how it ended and what to type next; end with the exit code."""
    from vlm4vla.cli.progress import counted

    missing = summary.planned - summary.finished
    if summary.interrupted:
        console.print(f"Interrupted. {summary.finished} of {summary.planned} episodes are stored.")
        console.print("The same command continues.")
        sys.exit(130)
    if summary.errors:
        console.print(
            f"{counted(summary.errors, 'episode')} ended in an error: neither success nor failure."
        )
        console.print(f"Read: bench show {summary.run}   Again: the same command, --retry-errors")
    if missing:
        console.print(
            f"{missing} of {counted(summary.planned, 'episode')} missing: the run is incomplete."
        )
    if not summary.complete:
        sys.exit(1)
