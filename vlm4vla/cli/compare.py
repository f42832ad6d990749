"""`bench compare`: is one policy better than another?"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.signature import Spread
from vlm4vla.reports.compare.pairing import Terms
from vlm4vla.runs.request import RunRequest

if TYPE_CHECKING:
    from rich.console import Console

    from vlm4vla.reports.compare.comparison import Comparison
    from vlm4vla.reports.compare.contrast import Contrast

_NONE: Mapping[str, str] = {}
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
    by_task: Annotated[bool, "A line for each task too."] = False,
    sequential: Annotated[bool, "Run both policies now, until it is decided."] = False,
    rule: Annotated[Literal["betting", "step"], "Of --sequential: paired, or STEP."] = "betting",
    bounds: Annotated[
        str | None, typer.Option(metavar="LOW,HIGH", help="Of --sequential on a mean, e.g. 0,5.")
    ] = None,
    first_option: Annotated[Mapping[str, str], "Option of the first policy."] = _NONE,
    second_option: Annotated[Mapping[str, str], "Option of the second policy."] = _NONE,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Compare two policies on identical episodes, and say in plain English which is better.

    Of stored runs, or with --sequential of two policies that are run until it is decided.
    """
    from vlm4vla.reports.compare.comparison import comparison
    from vlm4vla.store import Store

    if not sequential:
        with Store.open(store) as opened:
            found = comparison(opened, first, second, request.suite or None, terms)
    else:
        from vlm4vla.cli.duel import Contest, run_contest

        terms.check()
        one = replace(request, policy=first, policy_options=first_option)
        other = replace(request, policy=second, policy_options=second_option)
        contest = Contest((one, other), rule, bounds)
        found = run_contest(contest, terms, store, quiet=json_)
    if json_:
        print(json.dumps(facts(found), indent=1))
    else:
        from vlm4vla.cli.screen import screen

        show(screen(), found, by_task)
    if sequential and not found.finished:
        sys.exit(1)


def facts(found: Comparison) -> dict[str, object]:
    """The comparison as JSON takes it."""
    told = asdict(found)
    for name in ("contrasts", "by_task"):
        lines: tuple[Contrast, ...] = getattr(found, name)
        told[name] = [asdict(line) | {"discordant": line.discordant} for line in lines]
    verdict = told.pop("verdict")
    return {"verdict": verdict["text"], "winner": verdict["winner"], **told}


def show(console: Console, found: Comparison, by_task: bool = False) -> None:
    """Print the comparison for a person."""
    from rich.text import Text

    head = found.headline
    kind = "identical" if head.paired else "independent"
    console.print(f"{found.suite}: {head.n} {kind} episodes", style="bold")
    _scores(console, found)
    console.print()
    for label, words in _details(head, found.alpha).items():
        line = Text(f"{label:<12}", style="dim")
        console.print(line.append(words, style="none"), soft_wrap=True)
    if by_task and found.by_task:
        _tasks(console, found)
    console.print()
    console.print(found.verdict.text, style="bold", soft_wrap=False)
    for note in found.notes:
        console.print(f"! {note}", style="yellow")


def _scores(console: Console, found: Comparison) -> None:
    from rich import box
    from rich.table import Table

    from vlm4vla.reports.board.grid import score, short_run
    from vlm4vla.reports.compare.verdict import p_text
    from vlm4vla.reports.marks import signs

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for side in (found.first, found.second):
        name = side.policy + signs(side.marks)
        table.add_column(f"{name}\n{short_run(side.run)}", justify="right", overflow="fold")
    table.add_column("difference", justify="right")
    table.add_column("p", justify="right")
    whole = [{row.metric: row for row in side.scores} for side in (found.first, found.second)]
    for one in found.contrasts:
        cells = [score(side[one.metric]) for side in whole]
        texts = ["\n".join((cell.text, *cell.below)) for cell in cells]
        p = "" if one.p is None else p_text(one.p).removeprefix("p ").removeprefix("= ")
        table.add_row(one.metric, *texts, _interval(one), p)
    done = [
        f"{side.scores[0].finished}/{side.scores[0].planned}"
        for side in (found.first, found.second)
    ]
    table.add_row("episodes", *done, "", "", style="dim")
    console.print(table)


def _details(head: Contrast, alpha: float) -> dict[str, str]:
    from vlm4vla.reports.compare.verdict import amount, p_text

    lines: dict[str, str] = {}
    if head.difference is None or head.p is None:
        return lines
    level = f"{100 * (1 - alpha):g} %"
    lines["difference"] = f"{_interval(head)} {level} interval ({head.interval})"
    test = f"{head.test}, {p_text(head.p)}"
    if head.p_mid is not None:
        test += f" (mid-p {head.p_mid:.2g})"
    if head.e_value is not None:
        test += f", e = {head.e_value:.3g} of {1 / alpha:g} needed"
    lines["test"] = test
    if head.discordant is not None:
        lines["differ in"] = (
            f"{head.discordant} of {head.n}: the first is better in {head.first_only}, "
            f"the second in {head.second_only}"
        )
    if head.detectable is not None:
        lines["can show"] = f"{amount(head.detectable, head.kind)} or more (80 % power)"
    return lines


def _tasks(console: Console, found: Comparison) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("task", "n", "difference", "p", "p (Holm)"):
        table.add_column(name, justify="left" if name == "task" else "right")
    for line in found.by_task:
        ps = ["" if p is None else f"{p:.2g}" for p in (line.p, line.p_adjusted)]
        table.add_row(line.task, str(line.n), _interval(line), *ps)
    console.print("", table)


def _interval(one: Contrast) -> str:
    if one.difference is None or one.low is None or one.high is None:
        return "n/a"
    factor, digits = (100, 1) if one.kind == "rate" else (1, 2)
    low, high = (f"{factor * limit:+.{digits}f}" for limit in (one.low, one.high))
    return f"{factor * one.difference:+.{digits}f} [{low}, {high}]"
