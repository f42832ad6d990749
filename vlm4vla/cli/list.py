"""`bench list`: what there is to run, and what was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption


class What(StrEnum):
    """The kinds of things there are."""

    SUITES = "suites"
    POLICIES = "policies"
    BACKBONES = "backbones"
    SIMULATORS = "simulators"
    RUNS = "runs"


Listing = Sequence[Mapping[str, object]]


def list_(
    what: Annotated[What | None, typer.Argument(help="Only these.")] = None,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """List suites, policies, backbones, simulators and runs."""
    from vlm4vla.cli.screen import print_json

    tables = {part: _read(part, store) for part in ([what] if what else What)}
    if json_:
        print_json({part.value: table for part, table in tables.items()})
        return
    for part, table in tables.items():
        _show(part.value, table)


def _read(part: What, store: str | None) -> Listing:
    if part is What.SUITES:
        return _suites()
    if part is What.POLICIES:
        return _policies()
    if part is What.BACKBONES:
        return _backbones()
    if part is What.SIMULATORS:
        return _simulators()
    return _runs(store)


def _suites() -> Listing:
    from vlm4vla.suites.files import load_file, suite_names

    files = [load_file(name) for name in suite_names()]
    return [
        {
            "suite": file.name,
            "simulator": file.simulator,
            "protocols": ["default", *file.protocols],
            "summary": file.summary,
        }
        for file in files
    ]


def _policies() -> Listing:
    from vlm4vla import policies, simulators

    table: list[dict[str, object]] = [
        {"policy": name, "for": "every simulator"} for name in policies.names()
    ]
    for simulator in simulators.names():
        experts = simulators.plugin(simulator).experts()
        table += [{"policy": name, "for": simulator} for name in experts]
    return table


def _backbones() -> Listing:
    from vlm4vla.models.registry import entries

    return [
        {"backbone": entry.name, "parameters": entry.summary, "weights": entry.source or "none"}
        for entry in entries().values()
    ]


def _simulators() -> Listing:
    from vlm4vla import simulators

    return [
        {"simulator": name, "summary": simulators.plugin(name).summary}
        for name in simulators.names()
    ]


def _runs(where: str | None) -> Listing:
    from vlm4vla.store import RunStatus, reading, reading_if_any

    # Nothing has been run here: no mistake. A store that is named must be there.
    with reading_if_any() if where is None else reading(where) as store:
        if store is None:
            return []
        table, counts = [], store.counts()
        for run in store.runs():
            finished = counts.get(run.id, 0)
            missing = "" if finished == len(run.plan) else " incomplete"
            if missing and run.status is RunStatus.DECIDED:
                missing = " decided"
            table.append(
                {
                    "run": run.id,
                    "policy": run.policy,
                    "suite": run.suite,
                    "episodes": f"{finished}/{len(run.plan)}" + missing,
                    "created": run.created[:16].replace("T", " "),
                }
            )
    return table


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _show(name: str, listed: Listing) -> None:
    from vlm4vla.cli.screen import screen
    from vlm4vla.reports.tables.table import ResultTable, columns, words
    from vlm4vla.reports.tables.terminal import drawn

    console = screen()
    console.print(name, style="bold")
    if not listed:
        console.print("none yet\n", style="dim")
        return
    body = tuple(words(*map(_words, row.values())) for row in listed)
    console.print(drawn(ResultTable(name, columns(*listed[0], fold=True), body)), "")
