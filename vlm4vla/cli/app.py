"""The `bench` command: every verb under one name, every mistake on one screen.

Exit codes: 0 complete, 1 incomplete or not as expected, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from vlm4vla.core.errors import BenchError

HELP = "How much of a vision-language model survives when it becomes a robot policy?"
GROUPS = {
    "vqa": "Scores of vision-language models: list, import, measure, before and after a training.",
    "env": "List, install and check what the simulators need.",
}
VERBS = {
    "run": "run:run",
    "list": "list:list_",
    "show": "show:show",
    "leaderboard": "leaderboard:leaderboard",
    "compare": "compare:compare",
    "plan": "plan:plan",
    "correlate": "correlate:correlate",
    "replay": "replay:replay",
    "report": "report:report",
    "train": "train:train",
    "demos": "demos:demos",
    "learn": "learn:learn",
    "import": "import_:import_",
    "export": "export:export",
    "doctor": "doctor:doctor",
    "vqa import": "import_:import_",
    "vqa premise": "premise:premise",
    "vqa list": "vqa:list_",
    "vqa export": "vqa:export",
    "vqa run": "vqa:run",
    "vqa retention": "vqa:retention",
    "env list": "env:list_",
    "env check": "env:check",
    "env install": "env:install",
}
"""What is typed -> module of this package and function."""


def app(words: Sequence[str]) -> typer.Typer:
    """The command line that `words` ask for: one verb, or all by name where none is named.

    Only the verb that is asked for is imported: `bench list` knows nothing of training.
    """
    asked = " ".join([word for word in words if not word.startswith("-")][:2])
    named = next((verb for verb in VERBS if f"{asked} ".startswith(f"{verb} ")), None)
    made = {
        name: typer.Typer(
            help=text,
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
        )
        for name, text in {"": HELP, **GROUPS}.items()
    }
    for verb in [named] if named else VERBS:
        group, _, name = verb.rpartition(" ")
        module, _, function = VERBS[verb].partition(":")
        if named:
            from vlm4vla.cli.options import command

            act = getattr(import_module(f"vlm4vla.cli.{module}"), function)
            made[group].command(name)(command(act))
        else:
            made[group].command(name, help=_described(module, function))(lambda: None)
    for name in GROUPS:
        made[""].add_typer(made[name], name=name)
    return made[""]


def _described(module: str, function: str) -> str:
    """The docstring of a verb, read from its file without importing what the verb needs."""
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
    found = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function)
    return ast.get_docstring(next(found)) or ""


def main() -> None:
    """Entry point of `bench`: every foreseen mistake ends in one screen, never a traceback."""
    try:
        app(sys.argv[1:])()
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
