"""`bench list`: what there is to run, and what was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, get_args

import typer

from vlm4vla import policies, simulators
from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import drawn, print_json, screen
from vlm4vla.models.registry import entries
from vlm4vla.reports.tables.table import ResultTable, columns, words
from vlm4vla.store import RunRecord, RunStatus, reading, reading_if_any
from vlm4vla.suites.files import load_file, suite_names

What = Literal["suites", "policies", "backbones", "simulators", "runs"]
Listing = Sequence[Mapping[str, object]]


def list_(
    what: Annotated[What | None, typer.Argument(help="Only these.")] = None,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """List suites, policies, backbones, simulators and runs."""
    listings = {part: _listing(part, store) for part in ([what] if what else get_args(What))}
    if json_:
        print_json(listings)
        return
    for part, listed in listings.items():
        console = screen()
        console.print(part, style="bold")
        if not listed:
            console.print("none yet\n", style="dim")
            continue
        body = tuple(
            words(*(", ".join(v) if isinstance(v, list) else v for v in row.values()))
            for row in listed
        )
        console.print(drawn(ResultTable(part, columns(*listed[0], fold=True), body)), "")


def _listing(part: What, store: str | None) -> Listing:
    match part:
        case "suites":
            return [
                {
                    "suite": file.name,
                    "simulator": file.simulator,
                    "protocols": ["default", *file.protocols],
                    "summary": file.summary,
                }
                for file in map(load_file, suite_names())
            ]
        case "policies":
            return [{"policy": name, "for": "every simulator"} for name in policies.names()] + [
                {"policy": name, "for": simulator}
                for simulator in simulators.names()
                for name in simulators.plugin(simulator).experts()
            ]
        case "backbones":
            return [
                {"backbone": one.name, "parameters": one.summary, "weights": one.source or "none"}
                for one in entries().values()
            ]
        case "simulators":
            return [
                {"simulator": name, "summary": simulators.plugin(name).summary}
                for name in simulators.names()
            ]
        case "runs":
            # Nothing has been run here: no mistake. A store that is named must be there.
            with reading_if_any() if store is None else reading(store) as opened:
                counts = opened.counts() if opened else {}
                runs = opened.runs() if opened else []
                return [_run(run, counts.get(run.id, 0)) for run in runs]


def _run(run: RunRecord, finished: int) -> Mapping[str, object]:
    planned = len(run.plan)
    short = " decided" if run.status is RunStatus.DECIDED else " incomplete"
    return {
        "run": run.id,
        "policy": run.policy,
        "suite": run.suite,
        "episodes": f"{finished}/{planned}" + (short if finished != planned else ""),
        "created": run.created[:16].replace("T", " "),
    }
