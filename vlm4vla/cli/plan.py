"""`bench plan`: how many episodes a question needs, before any are run."""

from __future__ import annotations

from typing import Annotated

from vlm4vla.cli.options import JsonOption, Spread
from vlm4vla.cli.screen import drawn, print_json, screen
from vlm4vla.reports.tables.numbers import counted
from vlm4vla.reports.tables.table import ResultTable, columns, words
from vlm4vla.runs.question import PowerQuestion, Reach
from vlm4vla.stats.needs import Need, Wish


def plan(question: Annotated[PowerQuestion, Spread()], json_: JsonOption = False) -> None:
    """Say how many episodes a precision or a difference needs, on the same episodes or others."""
    wish, answers, within = question.answer()
    if json_:
        print_json({"wish": wish, "needs": answers, "suite": within})
    else:
        _show(wish, answers, within)


def _show(wish: Wish, answers: list[Need], within: Reach | None) -> None:
    console = screen()
    subject = (
        f"a mean whose episodes have a standard deviation of {wish.sd:g}"
        if wish.kind == "mean"
        else f"a success rate near {100 * wish.rate:g} %"
    )
    console.print(f"Episodes of each policy, for {subject}", style="bold")
    body = tuple(
        words(
            need.goal,
            need.design,
            "over 10 million" if need.episodes is None else f"{need.episodes:,}",
            need.note,
        )
        for need in answers
    )
    heads = columns("wanted", "on", "episodes", "", numeric=("episodes",), fold=True)
    console.print(drawn(ResultTable("", heads, body)))
    console.print(
        f"Differences are found with {100 * wish.power:g} % power at a two-sided level of "
        f"{wish.alpha:g}.",
        style="dim",
    )
    if within is not None:
        console.print()
        console.print(_within(within, wish), style="bold")


def _within(within: Reach, wish: Wish) -> str:
    scale, unit = wish.printed
    digits = 1 if unit else 2
    text = (
        f"{within.suite} has {counted(within.episodes, 'episode')}: {within.metric} is known to "
        f"±{scale * within.half_width:.{digits}f}{unit}; "
    )
    if within.unpaired is None and within.paired is None:
        return text + "no difference between two policies can be shown."
    shown = [
        f"{scale * value:.{digits}f}{unit} on {where}"
        for value, where in (
            (within.unpaired, "other episodes"),
            (within.paired, f"the same ones ({within.note})"),
        )
        if value is not None
    ]
    return text + f"differences from {' or '.join(shown)} can be shown."
