"""The results store: what was finished stays finished, whatever dies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from sqlalchemy import Column, Connection, Select, Table, func, insert, select, update

from vlm4vla.core.episode import JSON, EpisodeKey
from vlm4vla.core.errors import ErrorKind, RunConflict, UnknownName
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.core.simulator import Floats
from vlm4vla.store import encode
from vlm4vla.store.connect import Columns, Database, connect
from vlm4vla.store.files import file_of, run_lock
from vlm4vla.store.library import Library
from vlm4vla.store.records import EpisodeRow, Fault, RunRecord, RunStatus, Trace
from vlm4vla.store.schema import drawn_states, episodes, faults, runs, traces

_NOTHING = Trace(np.zeros((0, 0)), (), np.zeros(0))
_KEY = (episodes.c.suite, episodes.c.task, episodes.c.init, episodes.c.seed)


class Store:
    """Runs and episodes. Safe for threads and for several processes at once."""

    def __init__(self, database: Database) -> None:
        """Use `Store.open`."""
        self._db = database

    @classmethod
    def open(cls, where: str | Path | None = None, *, create: bool = False) -> Store:
        """The store at `where`, by default at `VLM4VLA_STORE` or ./results/bench.db.

        Args:
            where: a file, or `sqlite:///FILE`.
            create: make it if it is missing, and check now that it can be written.

        Raises:
            StoreError: missing, unreadable, damaged, of another version, no room, read-only.
        """
        return cls(connect(file_of(where), create))

    @property
    def name(self) -> str:
        """The store as it was named, to be shown."""
        return str(self._db.file)

    @cached_property
    def artifacts(self) -> Path:
        """Folder of what is too big for a table: videos; absolute, for others work elsewhere."""
        return self._db.file.resolve().parent

    @cached_property
    def library(self) -> Library:
        """What others measured, in the same store. Raises StoreError."""
        return Library(self._db)

    def videos(self, run: str) -> Path:
        """Folder of a run's videos; it may not be there yet."""
        return self.artifacts / encode.VIDEOS / run

    def close(self) -> None:
        """Give back the file; the last one to close it folds the journal in."""
        self._db.close()

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def begin(self, run: RunRecord) -> RunRecord:
        """Enter a run, or take up an existing one of the same configuration.

        Where one of their plans holds the other, the run is to hold the greater one.

        Returns:
            The run as stored: with the time of its first beginning.

        Raises:
            RunConflict: the id exists with another configuration; all differences are listed.
        """
        new = encode.run_columns(run)
        with self._db.write() as connection:
            old = connection.execute(select(runs).where(runs.c.id == run.id)).mappings().first()
            if old is None:
                connection.execute(insert(runs).values(new))
            else:
                encode.decoded(runs, dict(old), self._db.file)  # a damaged one is not compared
                differing = encode.differences(dict(old), new)
                if differing:
                    raise _conflict(run.id, differing)
                _take_up(connection, dict(old), new)
        return self.run(run.id)

    def record(self, run: str, result: EpisodeResult) -> bool:
        """Commit the final word on an episode.

        A success or failure is never overwritten; an error is, and is kept among the faults.

        Returns:
            Whether it was stored: False if the episode already had an outcome.
        """
        with self._writing(run) as connection:
            old = connection.execute(_episode(run, result.key)).mappings().first()
            if old is not None and old["outcome"] != Outcome.ERROR.value:
                return False
            columns = encode.episode_columns(run, result, self.artifacts)
            if old is None:
                inserted = connection.execute(insert(episodes).values(columns))
                number = int(inserted.inserted_primary_key[0])  # type: ignore[index]
            else:
                number = int(old["id"])
                connection.execute(insert(faults).values(_as_fault(old)))
                connection.execute(update(episodes).where(episodes.c.id == number).values(columns))
                for table in (traces, drawn_states):
                    connection.execute(table.delete().where(table.c.episode == number))
            if result.drawn.size:
                values = encode.encoded(drawn_states, {"episode": number, "drawn": result.drawn})
                connection.execute(insert(drawn_states).values(values))
            if np.size(result.actions):
                connection.execute(insert(traces).values(encode.trace_columns(number, result)))
        return True

    def fault(self, run: str, result: EpisodeResult) -> None:
        """Commit an attempt that failed and will be tried again."""
        with self._writing(run) as connection:
            connection.execute(insert(faults).values(encode.fault_columns(run, result)))

    def set_status(self, run: str, status: RunStatus) -> None:
        """Note what became of the run."""
        with self._writing(run) as connection:
            connection.execute(update(runs).where(runs.c.id == run).values(status=status.value))

    def decide(self, run: str, decision: Mapping[str, JSON]) -> None:
        """Note that a sequential comparison stopped the run, and what it found by which rule."""
        with self._writing(run) as connection:
            row = connection.execute(select(runs).where(runs.c.id == run)).mappings().one()
            old = encode.decoded(runs, dict(row), self._db.file)
            changes = {
                "status": RunStatus.DECIDED.value,
                "continued": encode.dumps([*old["continued"], {"decided": dict(decision)}]),
            }
            connection.execute(update(runs).where(runs.c.id == run).values(changes))

    def lock(self, run: str) -> AbstractContextManager[None]:
        """Hold the run against other processes; RunConflict names the one that has it."""
        return run_lock(self._db.file, run)

    def finished(self, run: str) -> dict[EpisodeKey, Outcome]:
        """What needs no further attempt, errors (quarantined episodes) included."""
        query = select(episodes.c.id, episodes.c.run, *_KEY, episodes.c.outcome)
        rows = encode.records(self._db, episodes, query.where(episodes.c.run == run))
        return {row["key"]: row["outcome"] for row in rows}

    def counts(self) -> dict[str, int]:
        """How many episodes of each run have a final row; runs without one are absent."""
        query = select(episodes.c.run, func.count().label("rows")).group_by(episodes.c.run)
        return {row["run"]: row["rows"] for row in self._db.read(query)}

    def runs(self) -> list[RunRecord]:
        """Every run, the oldest first."""
        rows = encode.records(self._db, runs, select(runs).order_by(runs.c.created))
        return [RunRecord(**row) for row in rows]

    def run(self, name: str) -> RunRecord:
        """The run of that id, or the only one whose id begins so, or ends so.

        Raises:
            UnknownName: none or several.
        """
        ids = [row["id"] for row in self._db.read(select(runs.c.id))]
        matches = _matching(name, ids)
        if len(matches) != 1:
            several = f"{len(matches)} ids match: {', '.join(matches[:6])}." if matches else ""
            raise UnknownName("run", name, ids, several or "`bench list runs` shows all.")
        query = select(runs).where(runs.c.id == matches[0])
        return RunRecord(**encode.records(self._db, runs, query)[0])

    def episodes(self, run: str) -> list[EpisodeRow]:
        """The rows of a run, sorted by episode key."""
        query = select(*self._columns).where(episodes.c.run == run).order_by(*_KEY)
        rows = encode.records(self._db, episodes, query)
        for row in rows:
            if row["video"].startswith(f"{encode.VIDEOS}/"):  # by its path today
                row["video"] = str(self.artifacts / row["video"])
        return [EpisodeRow(**row) for row in rows]

    def faults(self, run: str) -> list[Fault]:
        """The failed attempts of a run, the oldest first."""
        query = select(faults).where(faults.c.run == run).order_by(faults.c.id)
        return [Fault(**row) for row in encode.records(self._db, faults, query)]

    def actions(self, run: str, key: EpisodeKey) -> Floats:
        """The actions (steps, A) of an episode as the simulator received them.

        Raises:
            UnknownName: the run has no such episode.
        """
        return self.trace(run, key).actions

    def trace(self, run: str, key: EpisodeKey) -> Trace:
        """What `actions` gives, and what else its replay needs. Raises UnknownName."""
        row = self._db.read(_episode(run, key, episodes.c.id))
        if not row:
            raise UnknownName(f"episode in run {run}", str(key), map(str, self.finished(run)))
        found, state = (self._of_episode(table, row[0]["id"]) for table in (traces, drawn_states))
        return encode.trace(found[0], state, self._db.file) if found else _NOTHING

    @property
    def _columns(self) -> list[Column[Any]]:
        """Of an episode; before version 5 no row told its digest."""
        return [c for c in episodes.c if c.name != "digest" or self._db.version >= "0005"]

    def _of_episode(self, table: Table, number: int) -> list[Columns]:
        """Its row, if there is one; before version 4 no state was kept."""
        if not self._db.has(table):
            return []
        return self._db.read(select(table).where(table.c.episode == number))

    @contextmanager
    def _writing(self, run: str) -> Iterator[Connection]:
        """`Database.write` for a run that has begun."""
        with self._db.write() as connection:
            if connection.execute(select(runs.c.id).where(runs.c.id == run)).first() is None:
                known = connection.execute(select(runs.c.id)).scalars()
                raise UnknownName("run", run, known, "Store.begin enters it.")
            yield connection


class StoreSnapshot(Store):
    """What was read of a store, kept: whatever is asked for again, it gives the same rows.

    The parts of a report agree with each other, even while runs are going on, and no run is read
    twice. It holds every row it was asked for in memory, and closing is left to the store.
    """

    def __init__(self, store: Store) -> None:
        """A view of `store`, which stays open as long."""
        super().__init__(store._db)
        self._runs, self._episodes = cache(super().runs), cache(super().episodes)
        self._faults, self._counts = cache(super().faults), cache(super().counts)

    @classmethod
    def of(cls, store: Store) -> StoreSnapshot:
        """A snapshot of the store, or the store itself if it is one."""
        return store if isinstance(store, cls) else cls(store)

    def runs(self) -> list[RunRecord]:
        """Every run, the oldest first."""
        return list(self._runs())

    def run(self, name: str) -> RunRecord:
        """The run of that id, as first seen; otherwise as `Store.run`."""
        known = {run.id: run for run in self.runs()}
        return known[name] if name in known else super().run(name)

    def episodes(self, run: str) -> list[EpisodeRow]:
        """The rows of a run, sorted by episode key."""
        return list(self._episodes(run))

    def counts(self) -> dict[str, int]:
        """How many episodes of each run had a final row when this was first asked."""
        return dict(self._counts())

    def faults(self, run: str) -> list[Fault]:
        """The failed attempts of a run, the oldest first."""
        return list(self._faults(run))


Where = Store | str | Path | None
"""An open store, its file or URL; None for `VLM4VLA_STORE` or ./results/bench.db."""


@contextmanager
def reading(where: Where = None) -> Iterator[Store]:
    """An open store as it is; any other is opened for the while. Raises StoreError."""
    if isinstance(where, Store):
        yield where
    else:
        with Store.open(where) as store:
            yield store


@contextmanager
def reading_if_any(where: Where = None) -> Iterator[Store | None]:
    """As `reading`; None if there is no store yet, which holds no runs. Raises StoreError."""
    if isinstance(where, Store) or file_of(where).is_file():
        with reading(where) as store:
            yield store
    else:
        yield None


def _matching(name: str, ids: Sequence[str]) -> list[str]:
    if name in ids or not name:
        return [name] if name else []
    # Default ids end in a hash, which is what tables show.
    return [i for i in ids if i.startswith(name)] or [i for i in ids if i.endswith(name)]


def _episode(run: str, key: EpisodeKey, *columns: Column[Any]) -> Select[Any]:
    return select(*columns or episodes.c).filter_by(run=run, **asdict(key))


def _as_fault(row: Any) -> Columns:
    same = {n: row[n] for n in ("run", "suite", "task", "init", "seed", "ended", "attempt")}
    return same | {"kind": row["error"] or ErrorKind.HARNESS.value, "text": row["error_text"]}


def _take_up(connection: Connection, old: Columns, new: Columns) -> None:
    plan = max(old["plan"], new["plan"], key=lambda stored: len(encode.read_plan(stored)))
    changes: Columns = {"status": RunStatus.RUNNING.value, "plan": plan}
    known = [json.loads(old["provenance"]), *json.loads(old["continued"])]
    provenance = json.loads(new["provenance"])
    if provenance not in known:
        changes["continued"] = encode.dumps([*known[1:], provenance])
    connection.execute(update(runs).where(runs.c.id == old["id"]).values(changes))


def _conflict(run: str, differing: Sequence[tuple[str, str, str]]) -> RunConflict:
    lines = [f"  {name}: {old} (stored) / {new} (asked for)" for name, old, new in differing]
    return RunConflict(
        f"Run {run} exists with another configuration:\n" + "\n".join(lines),
        "Repeat its own command to continue it, or give this one another --run-id.",
    )
