"""`bench compare`: is one policy better than another?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from vlm4vla.cli.duel import Stopping, run_both
from vlm4vla.cli.options import JsonOption, Spread, StoreOption
from vlm4vla.cli.screen import drawn, print_json, screen
from vlm4vla.reports.compare.comparison import (
    Comparison,
    comparison,
    details,
    scores_table,
    tasks_table,
)
from vlm4vla.reports.compare.contrast import Terms
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store

_SHARED = {
    "suite": "Suite, where policies have runs of several.",
    "tasks": "Of --sequential: only this task.",
    "inits": "Of --sequential: only 3 or 0,4,10-19.",
    "episodes": "Of --sequential: at most the first N of each task.",
    "seed": "Of --sequential: seed of the episodes.",
    "protocol": "A named reading of the suite, e.g. paper.",
    "options": "Simulator option, e.g. robot=panda.",
    "execute": "Of --sequential: as in bench run.",
    "slots": "Of --sequential: simulators side by side, of both.",
}
"""What both sides have in common."""
_BOTH = Spread(tuple(_SHARED), defaults={"suite": "", "policy": ""}, helps=_SHARED)


def compare(
    first: Annotated[str, typer.Argument(help="A run's id (or its end), or a policy.")],
    second: Annotated[str, typer.Argument(help="The other run or policy.")],
    terms: Annotated[Terms, Spread(but=("sequential", "span"))],
    request: Annotated[RunRequest, _BOTH],
    *,
    by_task: Annotated[bool, "A line for each task too."] = False,
    sequential: Annotated[bool, "Run both policies now, until it is decided."] = False,
    stopping: Annotated[Stopping, Spread()],
    first_option: Annotated[Mapping[str, str], "Option of the first policy."],
    second_option: Annotated[Mapping[str, str], "Option of the second policy."],
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Compare two policies on identical episodes, and say in plain English which is better.

    Of stored runs, or with --sequential of two policies that are run until it is decided.
    """
    if sequential:
        one = replace(request, policy=first, policy_options=first_option)
        other = replace(request, policy=second, policy_options=second_option)
        found = run_both((one, other), stopping, terms, store, quiet=json_)
    else:
        with Store.open(store) as opened:
            found = comparison(opened, first, second, request.suite or None, terms)
    if json_:
        print_json(found)
    else:
        _show(screen(), found, by_task)
    if sequential and not found.finished:
        sys.exit(1)


def _show(console: Console, found: Comparison, by_task: bool) -> None:
    """Print the comparison for a person."""
    head = found.headline
    kind = "identical" if head.paired else "independent"
    console.print(f"{found.suite}: {head.n} {kind} episodes", style="bold")
    console.print(drawn(scores_table(found)))
    console.print()
    for label, words in details(head, found.alpha).items():
        line = Text(f"{label:<12}", style="dim")
        console.print(line.append(words, style="none"), soft_wrap=True)
    if by_task and found.by_task:
        console.print("", drawn(tasks_table(found)))
    console.print()
    console.print(found.verdict, style="bold", soft_wrap=False)
    for note in found.remarks:
        console.print(f"! {note}", style="yellow")
