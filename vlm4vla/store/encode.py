"""Records to columns and back; a column that cannot be read is named, with the way out."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, fields
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter
from sqlalchemy import Column, Select, Table

from vlm4vla.core.comparability import EPISODES
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import ErrorKind, StoreError
from vlm4vla.core.result import EpisodeResult, Metric, Outcome, Timing
from vlm4vla.store.connect import Columns, Database
from vlm4vla.store.records import RunRecord, RunStatus, Trace, now
from vlm4vla.store.schema import (
    drawn_states,
    episodes,
    faults,
    imported_results,
    runs,
    sources,
    traces,
    vqa_scores,
)

VIDEOS = "videos"
"""Folder among the artifacts. What lies there is named from it on, so that it moves with them."""

IDENTITY = ("id", "created", "status", "provenance", "continued")
"""Columns of a run that may differ when the same run is begun again."""

_WHOLES = {
    "key": (EpisodeKey, [one.name for one in fields(EpisodeKey)]),
    "timing": (Timing, [f"{one.name}_s" for one in fields(Timing)]),
}
"""Fields of records that are several columns."""

_ILLEGIBLE = (ValueError, TypeError, AttributeError, KeyError, RecursionError, zlib.error)


def storable(text: str) -> str:
    """Text that UTF-8 can hold: output of a dying process may carry lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def dumps(value: object) -> str:
    """Compact JSON. Order is kept: stages are listed in the order they are reached."""
    return json.dumps(value, separators=(",", ":"))


def run_columns(run: RunRecord) -> Columns:
    """A run as a row of `runs`."""
    return encoded(runs, {name: getattr(run, name) for name in runs.columns.keys()})


def differences(old: Columns, new: Columns) -> list[tuple[str, str, str]]:
    """(field, old, new) for each part of the configuration in which two runs differ.

    A plan that holds the other is no difference: the run grows.
    """
    found: list[tuple[str, str, str]] = []
    for name in (n for n in new if n not in IDENTITY and old[n] != new[n]):
        if name == "plan":
            had, has = (set(read_plan(row[name])) for row in (old, new))
            if had <= has or has <= had:  # of the same episodes more or fewer
                continue
            lost = f"{len(had)} episodes, {len(had - has)} of them not in the new plan"
            gained = f"{len(has)} episodes, {len(has - had)} of them not in the old plan"
            found.append((name, lost, gained))
        elif name in ("options", "policy_options", "comparability"):
            before, after = json.loads(old[name]), json.loads(new[name])
            # Before version 5 no run told its suite's digest: the id, or the plan, is its word.
            known = {*before, *after} - ({EPISODES} - before.keys())
            for key in sorted(known):
                if before.get(key) != after.get(key):
                    found.append((f"{name}.{key}", dumps(before.get(key)), dumps(after.get(key))))
        else:
            found.append((name, str(old[name]), str(new[name])))
    return found


def episode_columns(run: str, result: EpisodeResult, artifacts: Path) -> Columns:
    """A result as a row of `episodes`, ended now."""
    beside = Path(result.video).is_relative_to(artifacts / VIDEOS)
    own = {
        "run": run,
        **asdict(result.key),
        **{f"{name}_s": seconds for name, seconds in asdict(result.timing).items()},
        "ended": now(),
        "video": str(Path(result.video).relative_to(artifacts)) if beside else result.video,
    }
    rest = (name for name in episodes.columns.keys() if name not in {"id", *own})
    return encoded(episodes, own | {name: getattr(result, name) for name in rest})


def fault_columns(run: str, result: EpisodeResult) -> Columns:
    """A failed attempt as a row of `faults`, ended now."""
    facts = {"run": run, **asdict(result.key), "ended": now(), "attempt": result.attempt}
    kind = result.error or ErrorKind.HARNESS
    return encoded(faults, {**facts, "kind": kind, "text": result.error_text})


def trace_columns(episode: int, result: EpisodeResult) -> Columns:
    """A row of `traces`: actions as float64, steps as int32, little-endian, deflated."""
    steps, width = np.shape(result.actions)
    facts = {"episode": episode, "steps": steps, "width": width}
    numbers = {"actions": result.actions, "query_steps": result.query_steps}
    return encoded(traces, facts | numbers)


def trace(row: Columns, state: Sequence[Columns], file: Path) -> Trace:
    """A row of `traces`, and perhaps one of `drawn_states`, as a record. Raises StoreError."""
    found = decoded(traces, row, file)
    shape = found["steps"], found["width"]
    try:
        actions = found["actions"].reshape(shape).astype(np.float64)
    except ValueError as error:
        raise _damaged(traces, "actions", row, file, error) from error
    drawn = decoded(drawn_states, state[0], file)["drawn"] if state else np.zeros(0)
    return Trace(actions, tuple(found["query_steps"].tolist()), drawn)


def encoded(table: Table, values: Mapping[str, Any]) -> Columns:
    """The values of some columns as the table keeps them."""
    codecs = _CODECS[table.name]
    return {name: codecs[name].write(value) for name, value in values.items()}


def records(database: Database, table: Table, query: Select[Any]) -> list[dict[str, Any]]:
    """What `decoded` gives of each row that the query finds in the table. Raises StoreError."""
    return [decoded(table, row, database.file) for row in database.read(query)]


def decoded(table: Table, row: Columns, file: Path) -> dict[str, Any]:
    """The fields of a record that the columns in `row` give.

    An episode's key is one field, and so is its timing; the number of a row is none.

    Raises:
        StoreError: naming the row and the column that cannot be read.
    """
    codecs, name = _CODECS[table.name], ""
    found: dict[str, Any] = {}
    try:
        for name, stored in row.items():
            _, read, plain = codecs[name]
            found[name] = stored if type(stored) is plain else read(stored)
    except _ILLEGIBLE as error:
        raise _damaged(table, name, row, file, error) from error
    if table not in (runs, sources):
        found.pop("id", None)
    for name, (kind, columns) in _WHOLES.items():
        if found.keys() >= set(columns):
            found[name] = kind(*(found.pop(column) for column in columns))
    return found


class _Codec(NamedTuple):
    """How a value of a record becomes a column, and a column the value again."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    plain: type | None = None
    """What is of this type need not be read: every cell of a store comes by here."""


def _plain(kind: type) -> _Codec:
    return _Codec(storable if kind is str else kind, partial(_of, kind), kind)


def _of(kind: type, stored: object) -> Any:
    if type(stored) is not kind:
        raise ValueError(f"{stored!r:.60} is no {kind.__name__}")
    return stored


def _enum(kind: type[StrEnum]) -> _Codec:
    return _Codec(lambda member: member.value, kind)


def _json(write: Callable[[Any], str], kind: type, *within: type) -> _Codec:
    """A JSON object or list whose values are of the types `within`, if any are named."""

    def read(stored: str) -> Any:
        value = _of(kind, json.loads(stored))
        for one in value.values() if kind is dict else value:
            if within and type(one) not in within:
                raise ValueError(f"{one!r:.60} is not one of its values")
        return value

    return _Codec(write, read)


def _array(kind: str) -> _Codec:
    def write(values: Iterable[float]) -> bytes:
        return zlib.compress(np.ascontiguousarray(values, dtype=kind).tobytes(), 1)

    return _Codec(write, lambda stored: np.frombuffer(zlib.decompress(stored), dtype=kind))


def _write_plan(plan: Iterable[EpisodeKey]) -> bytes:
    return zlib.compress(dumps([astuple(key) for key in sorted(plan)]).encode())


def read_plan(stored: bytes) -> tuple[EpisodeKey, ...]:
    """The episodes of a run, as a row of `runs` holds them."""
    keys = json.loads(zlib.decompress(stored))
    if any([type(part) for part in key] != [str, str, int, int] for key in keys):
        raise ValueError("an episode's key is not two names and two numbers")
    return tuple(EpisodeKey(*key) for key in keys)


_SETTINGS = _json(partial(json.dumps, separators=(",", ":"), sort_keys=True), dict)
_METRICS = TypeAdapter(
    Annotated[tuple[Metric, ...], Field(min_length=1)], config=ConfigDict(extra="forbid")
)
_ENCODED = {
    runs.c.status: _enum(RunStatus),
    runs.c.policy_options: _SETTINGS,
    runs.c.options: _SETTINGS,
    runs.c.comparability: _SETTINGS,
    runs.c.provenance: _json(dumps, dict),
    runs.c.continued: _Codec(dumps, lambda stored: tuple(_json(dumps, list, dict).read(stored))),
    runs.c.metrics: _Codec(
        lambda metrics: dumps([asdict(metric) for metric in metrics]),
        lambda stored: _METRICS.validate_python(json.loads(stored)),
    ),
    runs.c.success_rule: _Codec(storable, lambda stored: {"last": "last", "any": "any"}[stored]),
    runs.c.plan: _Codec(_write_plan, read_plan),
    episodes.c.outcome: _enum(Outcome),
    episodes.c.error: _enum(ErrorKind),
    episodes.c.stages: _json(
        lambda stages: dumps({name: bool(value) for name, value in stages.items()}), dict, bool
    ),
    episodes.c.measures: _json(
        lambda measures: dumps({n: None if v is None else float(v) for n, v in measures.items()}),
        dict, float, int, type(None),
    ),
    faults.c.kind: _enum(ErrorKind),
    traces.c.actions: _array("<f8"),
    traces.c.query_steps: _array("<i4"),
    drawn_states.c.drawn: _array("<f8"),
    sources.c.provenance: _json(dumps, dict),
}  # fmt: skip


def _codec(column: Column[Any]) -> _Codec:
    write, read, plain = _ENCODED.get(column) or _plain(column.type.python_type)
    if not column.nullable:
        return _Codec(write, read, plain)
    return _Codec(
        lambda value: None if value is None else write(value),
        lambda stored: None if stored is None else read(stored),
        plain,
    )


_CODECS = {
    table.name: {column.name: _codec(column) for column in table.columns}
    for table in (
        runs, episodes, faults, traces, drawn_states, sources, imported_results, vqa_scores,
    )
}  # fmt: skip


def _damaged(table: Table, column: str, row: Columns, file: Path, error: Exception) -> StoreError:
    key = "episode" if table in (traces, drawn_states) else "id"
    name = str(row[key]).replace("'", "''")
    place = {n: row[n] for n in ("run", "suite", "task", "init") if n in row}
    within = f" ({', '.join(f'{n} {value}' for n, value in place.items())})" if place else ""
    return StoreError(
        f"The store {file} is damaged: {column} of {table.name} {key} {name}{within} cannot be "
        f"read: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}.",
        "Restore the file from a copy, or take the row out (the command of a run then plays the "
        f'episode again): sqlite3 {file} "PRAGMA foreign_keys=ON; DELETE FROM {table.name} '
        f"WHERE {key} = '{name}'\"",
    )
