"""Records to columns and back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import ErrorKind
from vlm4vla.core.result import EpisodeResult, Outcome, Timing
from vlm4vla.store.connect import Columns
from vlm4vla.store.records import EpisodeRow, Fault, RunRecord, RunStatus, Trace, now
from vlm4vla.suites.schema import Metric

IDENTITY = ("id", "created", "status", "provenance", "continued")
"""Columns of a run that may differ when the same run is begun again."""


def storable(text: str) -> str:
    """Text that UTF-8 can hold: output of a dying process may carry lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def dumps(value: object) -> str:
    """Compact JSON. Order is kept: stages are listed in the order they are reached."""
    return json.dumps(value, separators=(",", ":"))


def run_columns(run: RunRecord) -> Columns:
    """A run as a row of `runs`."""
    plan = [[k.suite, k.task, k.init, k.seed] for k in sorted(run.plan)]
    return {
        "id": run.id,
        "created": run.created,
        "status": run.status.value,
        "policy": run.policy,
        "policy_options": _sorted(run.policy_options),
        "checkpoint": run.checkpoint,
        "training_split": run.training_split,
        "privileged": run.privileged,
        "suite": run.suite,
        "simulator": run.simulator,
        "protocol": run.protocol,
        "options": _sorted(run.options),
        "execution": run.execution,
        "seed": run.seed,
        "metrics": dumps([metric.model_dump(mode="json") for metric in run.metrics]),
        "success_rule": run.success_rule,
        "comparability": _sorted(run.comparability),
        "provenance": dumps(run.provenance),
        "continued": dumps(run.continued),
        "plan": zlib.compress(dumps(plan).encode()),
    }


def run_record(row: Mapping[str, Any]) -> RunRecord:
    """A row of `runs` as a record; the plan comes back sorted."""
    plan = json.loads(zlib.decompress(row["plan"]))
    return RunRecord(
        id=row["id"],
        created=row["created"],
        status=RunStatus(row["status"]),
        policy=row["policy"],
        policy_options=json.loads(row["policy_options"]),
        checkpoint=row["checkpoint"],
        training_split=row["training_split"],
        privileged=row["privileged"],
        suite=row["suite"],
        simulator=row["simulator"],
        protocol=row["protocol"],
        options=json.loads(row["options"]),
        execution=row["execution"],
        seed=row["seed"],
        metrics=tuple(Metric.model_validate(m) for m in json.loads(row["metrics"])),
        success_rule=row["success_rule"],
        comparability=json.loads(row["comparability"]),
        provenance=json.loads(row["provenance"]),
        continued=tuple(json.loads(row["continued"])),
        plan=tuple(EpisodeKey(*key) for key in plan),
    )


def differences(old: Columns, new: Columns) -> list[tuple[str, str, str]]:
    """(field, old, new) for each part of the configuration in which two runs differ."""
    found: list[tuple[str, str, str]] = []
    for name in (n for n in new if n not in IDENTITY and old[n] != new[n]):
        if name == "plan":
            found.append((name, *_plan_difference(old[name], new[name])))
        elif name in ("options", "policy_options", "comparability"):
            found += _mapping_differences(name, json.loads(old[name]), json.loads(new[name]))
        else:
            found.append((name, str(old[name]), str(new[name])))
    return found


def key_columns(run: str, key: EpisodeKey) -> Columns:
    """What identifies an episode within a run."""
    return {
        "run": run,
        "suite": key.suite,
        "task": key.task,
        "init": key.init,
        "seed": key.seed,
    }


def episode_columns(run: str, result: EpisodeResult) -> Columns:
    """A result as a row of `episodes`, ended now."""
    return key_columns(run, result.key) | {
        "ended": now(),
        "outcome": result.outcome.value,
        "instruction": storable(result.instruction),
        "success_any": bool(result.success_any),
        "success_last": bool(result.success_last),
        "stages": dumps({name: bool(value) for name, value in result.stages.items()}),
        "measures": dumps({n: None if v is None else float(v) for n, v in result.measures.items()}),
        "steps": int(result.steps),
        "queries": int(result.queries),
        "renders": int(result.renders),
        "reset_s": float(result.timing.reset),
        "simulate_s": float(result.timing.simulate),
        "render_s": float(result.timing.render),
        "policy_s": float(result.timing.policy),
        "error": result.error.value if result.error else None,
        "error_text": storable(result.error_text),
        "attempt": int(result.attempt),
        "video": storable(result.video),
        "memory_mb": float(result.memory_mb),
    }


def episode_row(row: Mapping[str, Any]) -> EpisodeRow:
    """A row of `episodes` as a record."""
    return EpisodeRow(
        run=row["run"],
        key=_key(row),
        outcome=Outcome(row["outcome"]),
        ended=row["ended"],
        instruction=row["instruction"],
        success_any=row["success_any"],
        success_last=row["success_last"],
        stages=json.loads(row["stages"]),
        measures=json.loads(row["measures"]),
        steps=row["steps"],
        queries=row["queries"],
        renders=row["renders"],
        timing=Timing(row["reset_s"], row["simulate_s"], row["render_s"], row["policy_s"]),
        error=ErrorKind(row["error"]) if row["error"] else None,
        error_text=row["error_text"],
        attempt=row["attempt"],
        video=row["video"],
        memory_mb=row["memory_mb"],
    )


def fault_columns(run: str, result: EpisodeResult) -> Columns:
    """A failed attempt as a row of `faults`, ended now."""
    return key_columns(run, result.key) | {
        "ended": now(),
        "attempt": int(result.attempt),
        "kind": (result.error or ErrorKind.HARNESS).value,
        "text": storable(result.error_text),
    }


def fault_record(row: Mapping[str, Any]) -> Fault:
    """A row of `faults` as a record."""
    return Fault(
        row["run"], _key(row), row["attempt"], ErrorKind(row["kind"]), row["text"], row["ended"]
    )


def trace_columns(episode: int, result: EpisodeResult) -> Columns:
    """A row of `traces`: actions as float64, steps as int32, little-endian, deflated."""
    array = np.ascontiguousarray(result.actions, dtype="<f8")
    return {
        "episode": episode,
        "steps": array.shape[0],
        "width": array.shape[1],
        "actions": zlib.compress(array.tobytes(), 1),
        "query_steps": zlib.compress(np.asarray(result.query_steps, "<i4").tobytes(), 1),
    }


def trace(row: Mapping[str, Any]) -> Trace:
    """A row of `traces` as a record."""
    flat = np.frombuffer(zlib.decompress(row["actions"]), dtype="<f8")
    actions = flat.reshape(row["steps"], row["width"]).astype(np.float64)
    asked = np.frombuffer(zlib.decompress(row["query_steps"]), dtype="<i4")
    return Trace(actions, tuple(asked.tolist()))


def _key(row: Mapping[str, Any]) -> EpisodeKey:
    return EpisodeKey(row["suite"], row["task"], row["init"], row["seed"])


def _sorted(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _plan_difference(old: bytes, new: bytes) -> tuple[str, str]:
    before, after = ({tuple(k) for k in json.loads(zlib.decompress(b))} for b in (old, new))
    return (
        f"{len(before)} episodes, {len(before - after)} of them not in the new plan",
        f"{len(after)} episodes, {len(after - before)} of them not in the old plan",
    )


def _mapping_differences(
    name: str, old: Mapping[str, object], new: Mapping[str, object]
) -> list[tuple[str, str, str]]:
    return [
        (f"{name}.{key}", dumps(old.get(key)), dumps(new.get(key)))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
