"""Writes the recording and the reports beside it, with vla-eval 0.8.0's own code.

python make.py FOLDER, in an environment that has vla-eval; nothing here runs a simulator.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from vla_eval.recording import RecordingStore
from vla_eval.results.collector import ResultCollector
from vla_eval.results.export import export_db

EVALUATION = "night-1"
METADATA = {
    "benchmark": "CoinBenchmark",
    "mode": "sync",
    "config": {"episodes_per_task": 5, "params": {"seed": 7}},
    "metric_keys": {"success": "mean", "completed_subtasks": "mean"},
    "harness_version": "0.8.0",
    "server_info": {"model": "their-vla"},
    "render": {"requested": "egl", "applied_env": {}},
}
# task -> (success, subtasks) of each episode; None is an episode that ended in an error.
EPISODES = {
    "pick": [(True, 3), (True, 3), (False, 1), (False, 0), None],
    "place": [(True, 3), (False, 2), (False, 0), (False, 0), (False, 1)],
}


def record(store: RecordingStore, attempt: str, task: str, index: int, number: int) -> None:
    outcome = EPISODES[task][number]
    status = "error" if outcome is None else "success" if outcome[0] else "fail"
    metrics = {"success": False} if outcome is None else {
        "success": outcome[0], "completed_subtasks": outcome[1],
    }  # fmt: skip
    store.upsert_episode_result(
        sid="s", eid=f"{attempt}-{task}-{number}", eval_id=EVALUATION, task_name=task,
        episode_id=number, status=status,
        metrics=metrics, steps=40 + number, elapsed_sec=1.5, context={"task_idx": index},
        jsonl_path="", failure_reason="exception" if outcome is None else None,
        failure_detail="simulator fell over" if outcome is None else None,
    )  # fmt: skip


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recording.sqlite"
    path.unlink(missing_ok=True)
    store = RecordingStore(path)
    store.upsert_eval_metadata(EVALUATION, "coin", METADATA)
    store.seed_queue(EVALUATION, [i for i, rows in enumerate(EPISODES.values()) for _ in rows])
    # The first attempt at the first item died after it had been written down as an error.
    store.upsert_episode_result(
        sid="s", eid="0-pick-0", eval_id=EVALUATION, task_name="pick", episode_id=0, status="error",
        metrics={"success": False}, steps=3, elapsed_sec=0.1, context={"task_idx": 0},
        jsonl_path="", failure_reason="timeout", failure_detail="",
    )  # fmt: skip
    for index, (task, rows) in enumerate(EPISODES.items()):
        for number in range(len(rows)):
            record(store, "1", task, index, number)
    for item in range(9):  # the last one was never reported as done
        store.claim(EVALUATION, 0, None, 1)
        store.finish(EVALUATION, item)
    store.close()
    export_db(path, folder)
    collector = ResultCollector("CoinBenchmark", metric_keys={"success": "mean"})
    for task, rows in EPISODES.items():
        for number, outcome in enumerate(rows):
            failed = {"failure_reason": "exception"} if outcome is None else {}
            collector.record(
                task,
                {
                    "episode_id": number,
                    "metrics": {"success": bool(outcome and outcome[0])},
                    **failed,
                },
            )
    (folder / "collector.json").write_text(collector.to_json({"params": {"seed": 7}}))
    with sqlite3.connect(path) as connection:  # a repository has no use for empty pages
        connection.execute("PRAGMA page_size=1024")
        connection.execute("VACUUM")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
