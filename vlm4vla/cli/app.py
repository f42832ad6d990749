"""The `bench` command: every verb under one name, every mistake on one screen.

Exit codes: 0 complete, 1 incomplete or not as expected, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from vlm4vla.cli import (
    compare,
    correlate,
    demos,
    doctor,
    env,
    export,
    import_,
    leaderboard,
    learn,
    list,
    plan,
    replay,
    report,
    run,
    show,
    train,
    vqa,
)
from vlm4vla.core.errors import BenchError

app = typer.Typer(
    help="How much of a vision-language model survives when it becomes a robot policy?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("list")(list.list_)
app.command("show")(show.show)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("compare")(compare.compare)
app.command("plan")(plan.plan)
app.command("correlate")(correlate.correlate)
app.command("replay")(replay.replay)
app.command("report")(report.report)
app.command("train")(train.train)
app.command("demos")(demos.demos)
app.command("learn")(learn.learn)
app.command("import")(import_.import_)
app.command("export")(export.export)
app.command("doctor")(doctor.doctor)
app.add_typer(vqa.app, name="vqa")
app.add_typer(env.app, name="env")


def main() -> None:
    """Entry point of `bench`: every foreseen mistake ends in one screen, never a traceback."""
    try:
        app()
    except BenchError as error:
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]Error:[/] {escape(error.message)}", soft_wrap=True)
        if error.fix:
            console.print(f"[bold]Fix:[/] {escape(error.fix)}", soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)  # the reader, e.g. `head`, has seen enough
