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

from vlm4vla.core.episode import JSON
from vlm4vla.store.importers.found import Asked, Found, invalid, rate
from vlm4vla.store.library import ImportedResult

_UNITS = (int, float, bool)


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


def is_report(path: Path) -> bool:
    """Whether the JSON file is one of vla-eval's."""
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return False
    return isinstance(text, dict) and {"benchmark", "tasks", "harness_version"} <= set(text)


def is_recording(path: Path) -> bool:
    """Whether the file is a vla-eval recording."""
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            return False
    try:
        with closing(_open(path)) as connection:
            return {"episode_results", "eval_metadata"} <= _tables(connection)
    except sqlite3.Error:
        return False


def read_report(path: Path, asked: Asked) -> Found:
    """One aggregate JSON. Raises InvalidFile."""
    try:
        report = _Report.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise invalid(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return _found([report], path, asked)


def read_recording(path: Path, asked: Asked) -> Found:
    """Every evaluation in a recording database. Raises InvalidFile."""
    try:
        with closing(_open(path)) as connection:
            reports = list(_reports(connection))
    except (sqlite3.Error, ValidationError, ValueError) as error:
        raise invalid(path, f"not a recording of vla-eval 0.8 ({error})") from error
    if not reports:
        raise invalid(path, "no evaluation has been recorded in it yet")
    return _found(reports, path, asked)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def _reports(connection: sqlite3.Connection) -> Iterator[_Report]:
    queued = "work_queue" in _tables(connection)
    for row in connection.execute("SELECT eval_id, metadata FROM eval_metadata ORDER BY eval_id"):
        # A repeated work item replaces its earlier attempt, as in vla-eval's own export; rows
        # of single-process runs carry no task index and stand for themselves.
        episodes = connection.execute(
            "SELECT task_name, metrics, failure_reason FROM episode_results WHERE rowid IN ("
            " SELECT MAX(rowid) FROM episode_results WHERE eval_id = ?"
            " GROUP BY task_name, episode_id, json_extract(context, '$.task_idx'),"
            " CASE WHEN json_extract(context, '$.task_idx') IS NULL THEN rowid END)",
            (row["eval_id"],),
        ).fetchall()
        tasks: dict[str, list[dict[str, object]]] = {}
        for one in episodes:
            tasks.setdefault(str(one["task_name"]), []).append(
                {
                    "metrics": json.loads(one["metrics"] or "{}"),
                    "failure_reason": one["failure_reason"],
                }
            )
        unfinished = queued and connection.execute(
            "SELECT COUNT(*) FROM work_queue WHERE eval_id = ? AND done = 0", (row["eval_id"],)
        ).fetchone()[0]  # fmt: skip
        metadata = json.loads(row["metadata"])
        yield _Report.model_validate(
            {
                **metadata,
                "tasks": [{"task": name, "episodes": rows} for name, rows in tasks.items()],
                "partial": bool(unfinished),
            }
        )


def _found(reports: Sequence[_Report], path: Path, asked: Asked) -> Found:
    results: list[ImportedResult] = []
    for report in reports:
        policy = asked.policy or _policy(report.server_info) or path.stem
        suite = asked.suite or report.benchmark
        results += _results(report, policy, suite)
    if not results:
        raise invalid(path, "no finished episode in it")
    partial = [report.benchmark for report in reports if report.partial]
    return Found(
        "vla-eval",
        tuple(results),
        provenance={
            "versions": sorted({report.harness_version for report in reports}),
            "created": sorted({report.created_at for report in reports if report.created_at}),
            "benchmarks": [_summary(report) for report in reports],
        },
        note=f"unfinished: {', '.join(partial)}" if partial else "",
    )


def _summary(report: _Report) -> Mapping[str, JSON]:
    params = report.config.get("params")
    return {
        "benchmark": report.benchmark,
        "mode": report.mode,
        "params": json.loads(json.dumps(params, default=str)),
        "episodes_per_task": str(report.config.get("episodes_per_task", "")),
    }


def _policy(server: Mapping[str, object]) -> str:
    for name in ("model", "name", "model_name", "policy", "model_server"):
        if isinstance(server.get(name), str):
            return str(server[name])
    return ""


def _results(report: _Report, policy: str, suite: str) -> list[ImportedResult]:
    everything = [episode for task in report.tasks for episode in task.episodes]
    groups = {"all": everything} | {task.task: task.episodes for task in report.tasks}
    if len(report.tasks) > 60:  # CALVIN has a task per chain: a thousand lines that say nothing
        groups = {"all": everything}
    protocol = f"vla-eval {report.harness_version}, {report.mode or 'sync'}"
    note = "the file says not all episodes were finished" if report.partial else ""
    found = []
    for task, episodes in groups.items():
        done = [episode for episode in episodes if not episode.failure_reason]
        errors = len(episodes) - len(done)
        for key in report.metric_keys:
            values = [e.metrics[key] for e in done if isinstance(e.metrics.get(key), _UNITS)]
            numbers = [float(value) for value in values if isinstance(value, _UNITS)]
            if not numbers:
                continue
            chains = key == "completed_subtasks" and "calvin" in report.benchmark.casefold()
            name = "length" if chains else key
            more = {"errors": errors, "protocol": protocol, "note": note}
            if set(numbers) <= {0.0, 1.0} and key == "success":
                k = int(sum(numbers))
                found.append(rate(policy, suite, task, name, k, len(numbers), **more))
            else:
                mean = sum(numbers) / len(numbers)
                found.append(
                    ImportedResult(
                        policy, suite, task, name, "mean", mean, len(numbers), None,
                        errors, protocol, note,
                    )
                )  # fmt: skip
    return found
