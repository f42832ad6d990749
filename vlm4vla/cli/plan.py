"""`bench plan`: how many episodes a question needs, before any are run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from vlm4vla.cli.options import JsonOption, ProtocolOption

if TYPE_CHECKING:
    from rich.console import Console

    from vlm4vla.reports.compare.planning import Need, Reach, Wish


def plan(
    suite: Annotated[str | None, typer.Option(help="Say what its episodes can show, too.")] = None,
    precision: Annotated[
        float | None, typer.Option(help="Half-width wanted: points, or units of a mean.")
    ] = None,
    difference: Annotated[
        float | None, typer.Option(help="Difference to be found: points, or units of a mean.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Success rate expected, %.")] = 50.0,
    discordant: Annotated[
        float | None,
        typer.Option(help="Episodes in which the policies differ, % [unrelated, and half that]."),
    ] = None,
    mean: Annotated[
        bool, typer.Option("--mean", help="The metric is a mean, e.g. CALVIN's length.")
    ] = False,
    sd: Annotated[float, typer.Option(help="Of a mean: its standard deviation.")] = 1.6,
    correlation: Annotated[
        float, typer.Option(help="Of a mean: that of two policies on one episode.")
    ] = 0.5,
    power: Annotated[float, typer.Option(help="Chance to find the difference.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Two-sided level.")] = 0.05,
    protocol: ProtocolOption = None,
    json_: JsonOption = False,
) -> None:
    """Say how many episodes a precision or a difference needs, on the same episodes or others."""
    from vlm4vla.reports.compare.planning import Wish, headline, needs, reach
    from vlm4vla.suites.suite import load

    loaded = load(suite, protocol) if suite is not None else None
    kind = "mean" if mean else headline(loaded).kind if loaded is not None else "rate"
    scale = 1.0 if kind == "mean" else 0.01
    wish = Wish(
        kind=kind,
        rate=rate / 100,
        precision=None if precision is None else scale * precision,
        difference=None if difference is None else scale * difference,
        discordant=None if discordant is None else discordant / 100,
        sd=sd,
        correlation=correlation,
        alpha=alpha,
        power=power,
    )
    answers = needs(wish)
    within = reach(loaded, wish) if loaded is not None else None
    if json_:
        told = {"wish": asdict(wish), "needs": [asdict(need) for need in answers]}
        print(json.dumps(told | {"suite": asdict(within) if within else None}, indent=1))
        return
    from vlm4vla.cli.screen import screen

    _show(screen(), wish, answers, within)


def _show(console: Console, wish: Wish, answers: list[Need], within: Reach | None) -> None:
    from rich import box
    from rich.table import Table

    subject = (
        f"a mean whose episodes have a standard deviation of {wish.sd:g}"
        if wish.kind == "mean"
        else f"a success rate near {100 * wish.rate:g} %"
    )
    console.print(f"Episodes of each policy, for {subject}", style="bold")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("wanted", "on", "episodes", ""):
        table.add_column(name, justify="right" if name == "episodes" else "left")
    for need in answers:
        count = "over 10 million" if need.episodes is None else f"{need.episodes:,}"
        table.add_row(need.goal, need.design, count, need.note)
    console.print(table)
    console.print(
        f"Differences are found with {100 * wish.power:g} % power at a two-sided level of "
        f"{wish.alpha:g}.",
        style="dim",
    )
    if within is not None:
        console.print()
        console.print(_within(within, wish), style="bold")


def _within(within: Reach, wish: Wish) -> str:
    scale, unit = (1.0, "") if wish.kind == "mean" else (100.0, " points")
    digits = 2 if wish.kind == "mean" else 1
    noun = "episode" if within.episodes == 1 else "episodes"
    text = (
        f"{within.suite} has {within.episodes} {noun}: {within.metric} is known to "
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
