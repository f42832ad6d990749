"""Results of vla-eval (0.8.0): its recording database, and the JSON files made from it.

Its own rates count an episode that ended in an error as a failure. Here errors stay outside the
denominator, as in this harness, and the bounds they leave are shown.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from vlm4vla.store.importers.found import Found, ResultFile
from vlm4vla.store.library import ImportedResult


class _Episode(BaseModel):
    model_config = ConfigDict(extra="ignore")
    metrics: dict[str, object] = {}
    failure_reason: str | None = None


class _Task(BaseModel):
    model_config = ConfigDict(extra="ignore")
    task: str
    episodes: list[_Episode]


class _Report(BaseModel):
    """`*_aggregate.json`, and what its collector writes: one benchmark of one evaluation."""

    model_config = ConfigDict(extra="ignore")
    benchmark: str
    mode: str | None = None
    harness_version: str
    created_at: str = ""
    tasks: list[_Task]
    config: dict[str, object] = {}
    metric_keys: dict[str, str] = {"success": "mean"}
    server_info: dict[str, object] = {}
    partial: bool = False


def is_report(file: ResultFile) -> bool:
    """Whether the JSON file is one of vla-eval's."""
    return {"benchmark", "tasks", "harness_version"} <= set(file.object)


def is_recording(file: ResultFile) -> bool:
    """Whether the file is a vla-eval recording."""
    with file.path.open("rb") as opened:
        if opened.read(16) != b"SQLite format 3\0":
            return False
    try:
        with closing(_open(file.path)) as connection:
            return {"episode_results", "eval_metadata"} <= _tables(connection)
    except sqlite3.Error:
        return False


def read_report(file: ResultFile) -> Found:
    """One aggregate JSON. Raises InvalidFile."""
    try:
        report = _Report.model_validate_json(file.path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise file.invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return _found([report], file)


def read_recording(file: ResultFile) -> Found:
    """Every evaluation in a recording database. Raises InvalidFile."""
    try:
        with closing(_open(file.path)) as connection:
            reports = list(_reports(connection))
    except (sqlite3.Error, ValidationError, ValueError) as error:
        raise file.invalid(f"not a recording of vla-eval 0.8 ({error})") from error
    if not reports:
        raise file.invalid("no evaluation has been recorded in it yet")
    return _found(reports, file)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def _reports(connection: sqlite3.Connection) -> Iterator[_Report]:
    queued = "work_queue" in _tables(connection)
    evaluations = connection.execute("SELECT eval_id, metadata FROM eval_metadata ORDER BY eval_id")
    for evaluation, metadata in evaluations:
        # A repeated work item replaces its earlier attempt, as in vla-eval's own export; rows
        # of single-process runs carry no task index and stand for themselves.
        episodes = connection.execute(
            "SELECT task_name, metrics, failure_reason FROM episode_results WHERE rowid IN ("
            " SELECT MAX(rowid) FROM episode_results WHERE eval_id = ?"
            " GROUP BY task_name, episode_id, json_extract(context, '$.task_idx'),"
            " CASE WHEN json_extract(context, '$.task_idx') IS NULL THEN rowid END)",
            (evaluation,),
        )
        tasks: dict[str, list[dict[str, object]]] = {}
        for task, metrics, reason in episodes:
            one = {"metrics": json.loads(metrics or "{}"), "failure_reason": reason}
            tasks.setdefault(str(task), []).append(one)
        unfinished = queued and connection.execute(
            "SELECT COUNT(*) FROM work_queue WHERE eval_id = ? AND done = 0", (evaluation,)
        ).fetchone()[0]  # fmt: skip
        yield _Report.model_validate(
            {
                **json.loads(metadata),
                "tasks": [{"task": name, "episodes": rows} for name, rows in tasks.items()],
                "partial": bool(unfinished),
            }
        )


def _found(reports: Sequence[_Report], file: ResultFile) -> Found:
    results: list[ImportedResult] = []
    for report in reports:
        policy = file.asked.policy or _policy(report.server_info) or file.path.stem
        results += _results(report, policy, file.asked.suite or report.benchmark)
    if not results:
        raise file.invalid("no finished episode in it")
    partial = [report.benchmark for report in reports if report.partial]
    return Found(
        "vla-eval",
        tuple(results),
        provenance={
            "versions": sorted({report.harness_version for report in reports}),
            "created": sorted({report.created_at for report in reports if report.created_at}),
            "benchmarks": [
                {
                    "benchmark": report.benchmark,
                    "mode": report.mode,
                    "params": json.loads(json.dumps(report.config.get("params"), default=str)),
                    "episodes_per_task": str(report.config.get("episodes_per_task", "")),
                }
                for report in reports
            ],
        },
        note=f"unfinished: {', '.join(partial)}" if partial else "",
    )


def _policy(server: Mapping[str, object]) -> str:
    fields = ("model", "name", "model_name", "policy", "model_server")
    return next((name for name in map(server.get, fields) if isinstance(name, str)), "")


def _results(report: _Report, policy: str, suite: str) -> list[ImportedResult]:
    everything = [episode for task in report.tasks for episode in task.episodes]
    groups = {"all": everything} | {task.task: task.episodes for task in report.tasks}
    if len(report.tasks) > 60:  # CALVIN has a task per chain: a thousand lines that say nothing
        groups = {"all": everything}
    more = {
        "protocol": f"vla-eval {report.harness_version}, {report.mode or 'sync'}",
        "note": "the file says not all episodes were finished" if report.partial else "",
    }
    found = []
    for task, episodes in groups.items():
        done = [episode for episode in episodes if not episode.failure_reason]
        errors = len(episodes) - len(done)
        for key in report.metric_keys:
            values = [episode.metrics.get(key) for episode in done]
            numbers = [float(value) for value in values if isinstance(value, int | float)]
            if not numbers:
                continue
            chains = key == "completed_subtasks" and "calvin" in report.benchmark.casefold()
            rate = key == "success" and set(numbers) <= {0.0, 1.0}
            n, total = len(numbers), sum(numbers)
            found.append(
                ImportedResult(
                    policy, suite, task, "length" if chains else key, "rate" if rate else "mean",
                    total / n, n, int(total) if rate else None, errors, **more,
                )
            )  # fmt: skip
    return found
