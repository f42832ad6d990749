"""`bench run`: roll a policy out over a suite, into the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from vlm4vla.cli.options import (
    ProtocolOption,
    PythonOption,
    SetOption,
    StoreOption,
    assignments,
    numbers,
    scalars,
)
from vlm4vla.core.errors import BadInput

if TYPE_CHECKING:
    from vlm4vla.runs.execute import RunSummary
    from vlm4vla.runs.plan import RunPlan


def run(
    policy: Annotated[str | None, typer.Option(help="Policy: a name, or module:Class.")] = None,
    suite: Annotated[str | None, typer.Option(help="Suite: a name, or a YAML file.")] = None,
    campaign: Annotated[
        str | None,
        typer.Option(help="Instead: policies x suites of a campaign; both flags narrow it."),
    ] = None,
    checkpoints: Annotated[Path, typer.Option(help="Folder of a campaign's checkpoints.")] = Path(
        "checkpoints"
    ),
    task: Annotated[list[str] | None, typer.Option(help="Only this task (repeatable).")] = None,
    init: Annotated[str | None, typer.Option(help="Only these inits: 3 or 0,4,10-19.")] = None,
    episodes: Annotated[int | None, typer.Option(help="Only the first N of each task.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random in an episode.")] = 0,
    protocol: ProtocolOption = None,
    set_: SetOption = None,
    robot: Annotated[str | None, typer.Option(help="Short for --set robot=...")] = None,
    labels: Annotated[str | None, typer.Option(help="Short for --set labels=...")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Short for --policy-option checkpoint=...")
    ] = None,
    policy_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the policy.")
    ] = None,
    execute: Annotated[
        str | None,
        typer.Option(help="chunk, half, first, N or ensemble [the suite's or policy's own]."),
    ] = None,
    python: PythonOption = None,
    slots: Annotated[int | None, typer.Option(help="Simulators side by side [chosen].")] = None,
    max_batch: Annotated[int, typer.Option(help="Most observations in one policy call.")] = 64,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds one simulator step may take [the simulator's].")
    ] = None,
    retries: Annotated[int, typer.Option(help="Fresh attempts after a simulator's fault.")] = 2,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Try quarantined episodes again.")
    ] = False,
    video: Annotated[
        Literal["none", "queries", "all"], typer.Option(help="Film nothing, queries, all steps.")
    ] = "none",
    selected_from: Annotated[
        int,
        typer.Option(
            metavar="K", help="This is the best of K tried on these episodes: marks the numbers."
        ),
    ] = 1,
    store: StoreOption = None,
    run_id: Annotated[str | None, typer.Option(help="Name of the run [derived].")] = None,
    new: Annotated[bool, typer.Option("--new", help="Do not continue an existing run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and list only.")] = False,
    ray_address: Annotated[str | None, typer.Option(help="A running Ray cluster.")] = None,
) -> None:
    """Roll a policy out over a suite. The same command continues where it was stopped."""
    from vlm4vla.runs.plan import resolve
    from vlm4vla.runs.request import RunRequest

    texts = assignments("--set", set_)
    texts |= {k: v for k, v in (("robot", robot), ("labels", labels)) if v is not None}
    policy_options = assignments("--policy-option", policy_option)
    if checkpoint is not None:  # absolute: the policy's process may run in another folder
        policy_options["checkpoint"] = str(checkpoint.expanduser().resolve())
    request = RunRequest(
        policy=policy or "",
        suite=suite or "",
        tasks=tuple(task or ()),
        inits=numbers("--init", init),
        episodes=episodes,
        seed=seed,
        protocol=protocol,
        options=scalars(texts),
        policy_options=policy_options,
        execute=execute,
        python=python,
        slots=slots,
        max_batch=max_batch,
        timeout_s=timeout,
        retries=retries,
        retry_errors=retry_errors,
        video=video,
        selected_from=selected_from,
        run_id=run_id,
        new=new,
        ray_address=ray_address,
    )
    if campaign is not None:
        from vlm4vla.cli.campaign import run_campaign

        run_campaign(campaign, checkpoints, request, policy, suite, store, dry_run)
        return
    if policy is None or suite is None:
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
    from vlm4vla.cli.progress import Progress
    from vlm4vla.runs.execute import execute
    from vlm4vla.store import Store

    with Store.open(where, create=True) as store, Progress(plan, console) as progress:
        return execute(plan, store, progress.observe)


def _describe(plan: RunPlan, console: Console) -> None:
    """What would run."""
    suite, record = plan.suite, plan.record
    console.print(f"run        {record.id}")
    console.print(f"policy     {plan.policy}  execute {plan.execution}")
    console.print(f"suite      {suite.name} ({suite.protocol}): {suite.summary}", soft_wrap=True)
    for task in suite.tasks:
        inits = [episode.key.init for episode in suite.episodes if episode.key.task == task]
        console.print(f"  {task:24} {len(inits):5} episodes, init {min(inits)} to {max(inits)}")
    if plan.interpreter is not None:
        console.print(f"python     {plan.interpreter.python}", soft_wrap=True)
    console.print(f"slots      {plan.slots}")
    for key, value in plan.comparability.items():
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
