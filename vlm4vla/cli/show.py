"""`bench show`: one run, or one of its episodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.cli.screen import drawn, print_json, screen
from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.reports.marks import legend
from vlm4vla.reports.summary import Summary, configuration, further_tables, scores_table, summarise
from vlm4vla.store import EpisodeRow, Fault, RunRecord, Store

SHOWN_ERRORS = 12
"""More errors than this are counted, not printed; --json gives all."""
_WIDTH = 30
"""Characters of a bar."""


def show(
    run: Annotated[str, typer.Argument(help="Id of the run, or its beginning or end.")],
    episode: Annotated[str | None, "One episode: TASK/INIT, TASK/INIT@SEED, or INIT."] = None,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show what a run is, what it scored, where its time went and what failed."""
    with Store.open(store) as opened:
        record = opened.run(run)
        rows = opened.episodes(record.id)
        if episode is not None:
            _show_episode(opened, _find(record, rows, episode), json_)
        elif json_:
            print_json(_run_facts(summarise(opened, record), rows))
        else:
            _show_run(screen(), summarise(opened, record))


def _show_run(console: Console, summary: Summary) -> None:
    run, seconds = summary.run, summary.time.parts
    console.print(f"{run.id}   {summary.status}", style="bold")
    console.print(_pairs(configuration(run)), "")
    console.print(drawn(scores_table(summary)))
    for text in legend({name for row in summary.rows for name in row.marks}):
        console.print(f"! {text}", style="yellow")
    console.print()
    for table in further_tables(summary):
        console.print(drawn(table), "")
    if summary.stages:
        console.print("stages", style="bold")
        for stage in summary.stages:
            share = stage.reached / max(1, stage.episodes)
            console.print(_bar(stage.name, share, f"{stage.reached}/{stage.episodes}"))
        console.print()
    if total := sum(seconds.values()):
        console.print("time (seconds over all episodes)", style="bold")
        for name, spent in seconds.items():
            console.print(_bar(name, spent / total, f"{spent:.3g}"))
        bought = ", ".join(f"{count} {name}" for name, count in summary.counts.items())
        console.print(f"  {bought}\n")
    if summary.quarantined:
        console.print(f"quarantined: {len(summary.quarantined)} episodes", style="bold red")
        _print_some(console, map(_quarantined, summary.quarantined))
    if summary.faults:
        console.print(f"failed attempts that were repeated: {len(summary.faults)}", style="bold")
        _print_some(console, map(_repeated, summary.faults))
    for title, facts in (
        ("comparability", run.comparability),
        ("provenance", run.provenance),
        *(("continued with", later) for later in run.continued),
    ):
        console.print(title, style="bold")
        console.print(_pairs(facts), "")


def _show_episode(store: Store, row: EpisodeRow, as_json: bool) -> None:
    faults = [fault for fault in store.faults(row.run) if fault.key == row.key]
    trace = store.trace(row.run, row.key)
    actions = trace.actions
    facts = _facts(row) | {"actions": list(actions.shape), "entropy": row.key.entropy}
    if trace.drawn.size:
        facts["drawn"] = trace.drawn.tolist()
    if as_json:
        print_json(facts | {"faults": [_fault_facts(fault) for fault in faults]})
        return
    console = screen()
    console.print(f"{row.key}   {row.outcome.value}", style="bold")
    shown = {n: v for n, v in facts.items() if n not in ("episode", "outcome", "error_text")}
    if trace.drawn.size:
        shown["drawn"] = f"the initial state, {trace.drawn.size} numbers (--json gives them)"
    console.print(_pairs(shown))
    if row.error_text:
        console.print(f"\nerror ({row.error}, attempt {row.attempt})", style="bold red")
        console.print(row.error_text)
    for fault in faults:
        head = f"\nattempt {fault.attempt} failed ({fault.kind}) {fault.ended}"
        console.print(head, style="bold")
        console.print(fault.text)
    if actions.size:
        command = f"\nbench replay {row.run} --episode {_place(row)}"
        console.print(command, style="dim", soft_wrap=True)


def _find(run: RunRecord, rows: Sequence[EpisodeRow], name: str) -> EpisodeRow:
    place, _, seed = name.partition("@")
    task, _, init = place.rpartition("/")
    if not init.isdigit() or (seed and not seed.isdigit()):
        raise BadInput(f"'{name}' is not TASK/INIT.", "Write e.g. --episode far/3 or far/3@1")
    task = task.removeprefix(f"{run.suite}/")
    found = [
        row
        for row in rows
        if row.key.init == int(init)
        and task in ("", row.key.task)
        and (not seed or row.key.seed == int(seed))
    ]
    if not found:
        planned = any(key.init == int(init) and task in ("", key.task) for key in run.plan)
        raise UnknownName(
            f"finished episode of run {run.id}",
            name,
            map(_place, rows),
            "It is planned, but was not run yet: the run's own command continues it."
            if planned
            else "",
        )
    if len(found) > 1:
        raise BadInput(
            f"'{name}' means {len(found)} episodes: {', '.join(str(r.key) for r in found[:6])}.",
            "Write --episode TASK/INIT, with @SEED behind it if need be.",
        )
    return found[0]


def _pairs(facts: Mapping[str, object]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(f"  {name}", _in_words(value))
    return table


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return "  ".join(f"{key}={_in_words(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value in (None, "") else str(value)


def _bar(name: str, share: float, text: str) -> str:
    return f"  {name:<14} {'█' * round(_WIDTH * share):<{_WIDTH}} {text}"


def _place(row: EpisodeRow | Fault) -> str:
    return f"{row.key.task}/{row.key.init}"


def _print_some(console: Console, errors: Iterable[str]) -> None:
    listed = list(errors)
    for error in listed[:SHOWN_ERRORS]:
        console.print(error)
    if len(listed) > SHOWN_ERRORS:
        console.print(f"  and {len(listed) - SHOWN_ERRORS} more (--json gives all)")
    console.print()


def _quarantined(row: EpisodeRow) -> str:
    lines = row.error_text.strip().splitlines()
    kept = ["..."] * (len(lines) > 6) + lines[-6:]
    head = f"  {_place(row)} {row.error}, attempt {row.attempt}"
    return "\n".join([head, *(f"      {line}" for line in kept)])


def _repeated(fault: Fault) -> str:
    first = next(iter(fault.text.strip().splitlines()), "")
    return f"  {_place(fault)} {fault.kind}, attempt {fault.attempt}: {first}"


def _facts(row: EpisodeRow) -> dict[str, object]:
    facts = asdict(row)
    identity = {"run": facts.pop("run"), "episode": str(row.key), **facts.pop("key")}
    return identity | facts


def _fault_facts(fault: Fault) -> dict[str, object]:
    facts = {name: value for name, value in asdict(fault).items() if name not in ("key", "run")}
    return {"episode": str(fault.key), **facts}


def _run_facts(summary: Summary, rows: Sequence[EpisodeRow]) -> dict[str, object]:
    run = summary.run
    return {
        "run": run.id,
        "status": summary.status,
        "created": run.created,
        "finished": summary.finished,
        "planned": len(run.plan),
        **{name.replace(" ", "_"): value for name, value in configuration(run).items()},
        "comparability": run.comparability,
        "provenance": run.provenance,
        "continued": run.continued,
        "scores": summary.rows,
        "stages": summary.stages,
        "time": {**summary.time.parts, **summary.counts},
        "faults": [_fault_facts(fault) for fault in summary.faults],
        "episodes": [_facts(row) for row in rows],
    }
