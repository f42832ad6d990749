"""`bench show`: one run, or one of its episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from vlm4vla.cli.options import JsonOption, StoreOption
from vlm4vla.core.errors import BadInput, UnknownName

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from vlm4vla.reports.summary import Summary
    from vlm4vla.store import EpisodeRow, Fault, RunRecord, Store

SHOWN_ERRORS = 12
"""More errors than this are counted, not printed; --json gives all."""


def show(
    run: Annotated[str, typer.Argument(help="Id of the run, or its beginning or end.")],
    episode: Annotated[str | None, "One episode: TASK/INIT, TASK/INIT@SEED, or INIT."] = None,
    json_: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show what a run is, what it scored, where its time went and what failed."""
    from vlm4vla.reports.summary import summarise
    from vlm4vla.store import Store

    with Store.open(store) as opened:
        record = opened.run(run)
        if episode is not None:
            _show_episode(opened, record, episode, json_)
        else:
            _show_run(summarise(opened, record), opened.episodes(record.id), json_)


def _show_run(summary: Summary, episodes: list[EpisodeRow], as_json: bool) -> None:
    from vlm4vla.cli.screen import print_json, screen
    from vlm4vla.reports.marks import legend
    from vlm4vla.reports.summary import configuration, further_tables, scores_table
    from vlm4vla.reports.tables.terminal import drawn

    run = summary.run
    if as_json:
        print_json(_run_facts(summary, episodes))
        return
    console = screen()
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
            bar = "█" * round(30 * share)
            console.print(f"  {stage.name:<14} {bar:<30} {stage.reached}/{stage.episodes}")
        console.print()
    _print_time(console, summary)
    _print_errors(console, summary)
    console.print("comparability", style="bold")
    console.print(_pairs(run.comparability), "")
    for title, facts in (
        ("provenance", run.provenance),
        *(("continued with", later) for later in run.continued),
    ):
        console.print(title, style="bold")
        console.print(_pairs(facts), "")


def _show_episode(store: Store, run: RunRecord, name: str, as_json: bool) -> None:
    from vlm4vla.cli.screen import print_json, screen

    row = _find(run, store.episodes(run.id), name)
    faults = [fault for fault in store.faults(run.id) if fault.key == row.key]
    actions = store.actions(run.id, row.key)
    facts = _episode_facts(row) | {"actions": list(actions.shape), "entropy": row.key.entropy}
    if as_json:
        print_json(facts | {"faults": [_fault_facts(f) for f in faults]})
        return
    console = screen()
    console.print(f"{row.key}   {row.outcome.value}", style="bold")
    shown = {n: v for n, v in facts.items() if n not in ("episode", "outcome", "error_text")}
    console.print(_pairs(shown))
    if row.error_text:
        console.print(f"\nerror ({row.error}, attempt {row.attempt})", style="bold red")
        console.print(row.error_text)
    for fault in faults:
        console.print(
            f"\nattempt {fault.attempt} failed ({fault.kind}) {fault.ended}", style="bold"
        )
        console.print(fault.text)
    if actions.size:
        place = f"{row.key.task}/{row.key.init}"
        console.print(f"\nbench replay {run.id} --episode {place}", style="dim", soft_wrap=True)


def _find(run: RunRecord, rows: list[EpisodeRow], name: str) -> EpisodeRow:
    place, _, seed = name.partition("@")
    task, slash, init = place.rpartition("/")
    if not init.isdigit() or (seed and not seed.isdigit()):
        raise BadInput(f"'{name}' is not TASK/INIT.", "Write e.g. --episode far/3 or far/3@1")
    task = task.removeprefix(f"{run.suite}/")
    found = [
        row
        for row in rows
        if row.key.init == int(init)
        and (not slash or row.key.task == task)
        and (not seed or row.key.seed == int(seed))
    ]
    known = [f"{row.key.task}/{row.key.init}" for row in rows]
    if not found:
        planned = any(k.init == int(init) and (not slash or k.task == task) for k in run.plan)
        raise UnknownName(
            f"finished episode of run {run.id}",
            name,
            known,
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
    from rich.table import Table

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


def _print_time(console: Console, summary: Summary) -> None:
    time = summary.time
    if not time.total:
        return
    console.print("time (seconds over all episodes)", style="bold")
    for name, seconds in time.parts.items():
        bar = "█" * round(30 * seconds / time.total)
        console.print(f"  {name:<14} {bar:<30} {seconds:.3g}")
    console.print(f"  {time.steps} steps, {time.queries} queries, {time.renders} renders\n")


def _print_errors(console: Console, summary: Summary) -> None:
    if summary.quarantined:
        console.print(f"quarantined: {len(summary.quarantined)} episodes", style="bold red")
        for row in summary.quarantined[:SHOWN_ERRORS]:
            console.print(f"  {row.key.task}/{row.key.init} {row.error}, attempt {row.attempt}")
            console.print(_indented(row.error_text))
        _print_rest(console, len(summary.quarantined))
    if summary.faults:
        console.print(f"failed attempts that were repeated: {len(summary.faults)}", style="bold")
        for fault in summary.faults[:SHOWN_ERRORS]:
            first = fault.text.strip().splitlines()[:1] or [""]
            place = f"{fault.key.task}/{fault.key.init}"
            console.print(f"  {place} {fault.kind}, attempt {fault.attempt}: {first[0]}")
        _print_rest(console, len(summary.faults))


def _print_rest(console: Console, count: int) -> None:
    if count > SHOWN_ERRORS:
        console.print(f"  and {count - SHOWN_ERRORS} more (--json gives all)")
    console.print()


def _indented(text: str) -> str:
    lines = text.strip().splitlines()
    kept = ["..."] * (len(lines) > 6) + lines[-6:]
    return "\n".join(f"      {line}" for line in kept)


def _episode_facts(row: EpisodeRow) -> dict[str, object]:
    key = row.key
    facts = {n: v for n, v in asdict(row).items() if n not in ("key", "run")}
    identity = {"suite": key.suite, "task": key.task, "init": key.init, "seed": key.seed}
    return {"run": row.run, "episode": str(key), **identity, **facts}


def _fault_facts(fault: Fault) -> dict[str, object]:
    facts = {n: v for n, v in asdict(fault).items() if n not in ("key", "run")}
    return {"episode": str(fault.key), **facts}


def _run_facts(summary: Summary, episodes: list[EpisodeRow]) -> dict[str, object]:
    from vlm4vla.reports.summary import configuration

    run = summary.run
    return {
        "run": run.id,
        "status": summary.status,
        "created": run.created,
        "finished": summary.finished,
        "planned": len(run.plan),
        **{name.replace(" ", "_"): value for name, value in configuration(run).items()},
        "comparability": dict(run.comparability),
        "provenance": dict(run.provenance),
        "continued": [dict(later) for later in run.continued],
        "scores": [asdict(row) for row in summary.rows],
        "stages": [asdict(stage) for stage in summary.stages],
        "time": asdict(summary.time),
        "faults": [_fault_facts(fault) for fault in summary.faults],
        "episodes": [_episode_facts(row) for row in episodes],
    }
