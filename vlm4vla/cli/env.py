"""`bench env`: how each simulator is installed, and installing it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress

from vlm4vla.cli.options import JsonOption
from vlm4vla.cli.screen import drawn, print_json, screen
from vlm4vla.core.environment import environment_names, load_environment
from vlm4vla.environments import state
from vlm4vla.reports.tables.table import ResultTable, columns, words

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Environment, e.g. toy.")]


def list_(json_: JsonOption = False) -> None:
    """List the environments and whether this machine has what they need."""
    rows: list[tuple[str, list[str], str]] = []
    for environment in map(load_environment, environment_names()):
        parts = [part for part in state.inspect(environment) if not (part.ready or part.only_for)]
        missing = [f"{part.kind} {part.name}" for part in parts]
        rows.append((environment.name, missing, environment.summary))
    if json_:
        keys = ("environment", "missing", "summary")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    body = tuple(
        words(name, "missing: " + "; ".join(missing) if missing else "ready", summary)
        for name, missing, summary in rows
    )
    heads = columns("environment", "state", "summary", fold=True)
    screen().print(drawn(ResultTable("", heads, body)))


def check(name: NameArgument, json_: JsonOption = False) -> None:
    """Check every package and file an environment needs; 1 where something is missing."""
    parts = state.inspect(load_environment(name))
    if json_:
        print_json(parts)
    else:
        console = screen()
        for part in parts:
            sign = "ok     " if part.ready else "note   " if part.only_for else "MISSING"
            needed = f" (needed only for {part.only_for})" if part.only_for else ""
            console.print(f"{sign} {part.kind} {part.name}{needed}: {part.detail}", soft_wrap=True)
            if not part.ready:
                console.print(f"        {part.fix}", style="bold", soft_wrap=True)
        if not parts:
            console.print(f"'{name}' needs nothing beyond the base install.")
    if not all(part.ready or part.only_for for part in parts):
        raise typer.Exit(1)


def install(
    name: NameArgument,
    asset: Annotated[tuple[str, ...], "Fetch this optional asset too; repeatable."] = (),
) -> None:
    """Install what is missing of an environment; what is there is left alone."""
    console = screen()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("downloading", visible=False)

        def tell(text: str) -> None:
            console.print(text, soft_wrap=True)

        def show(done: int, total: int | None) -> None:
            progress.update(bar, completed=done, total=total, visible=done != total)

        state.install(load_environment(name), asset, tell, show)
    check(name)
