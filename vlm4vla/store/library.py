"""What others measured, and how good a model is without a robot: tables beside the runs.

They lie in the file of the store, apart from `runs` and `episodes`, so that nothing imported can be
taken for a run of ours: no report that reads runs sees them. They are made by the first write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    delete,
    insert,
    inspect,
    select,
)

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import StoreError, UnknownName
from vlm4vla.store.address import file_of
from vlm4vla.store.connect import Columns, Database, connect, sentences
from vlm4vla.store.records import now

VERSION = 1
_NAME = "library"
"""Row of `meta` that holds the version of these tables."""

_metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _source() -> Column[str]:
    return Column("source", Text, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False)


_sources = Table(
    "sources",
    _metadata,
    Column("id", Text, primary_key=True),
    *map(_text, ("created", "kind", "format", "file", "sha256", "note", "provenance")),
)
_results = Table(
    "imported_results",
    _metadata,
    Column("id", Integer, primary_key=True),
    _source(),
    *map(_text, ("policy", "suite", "task", "metric", "kind")),
    Column("value", Float, nullable=False),
    Column("n", Integer),
    Column("k", Integer),
    Column("errors", Integer, nullable=False),
    *map(_text, ("protocol", "note")),
)
_scores = Table(
    "vqa_scores",
    _metadata,
    Column("id", Integer, primary_key=True),
    _source(),
    *map(_text, ("model", "backbone", "benchmark", "metric")),
    Column("value", Float, nullable=False),
    _text("unit"),
    Column("n", Integer),
    Column("k", Integer),
    Column("chance", Float),
    _text("note"),
)
_meta = Table("meta", MetaData(), Column("name", Text, primary_key=True), Column("value", Text))


@dataclass(frozen=True)
class Source:
    """Where imported numbers come from: one file, or one measurement of ours."""

    id: str
    kind: str
    """`imported` or `measured` (by this harness; scores only)."""
    format: str
    file: str
    sha256: str
    note: str = ""
    provenance: Mapping[str, JSON] = field(default_factory=dict)
    """What the file says of itself (versions, configuration), and who imported it when."""
    created: str = field(default_factory=now)


@dataclass(frozen=True)
class ImportedResult:
    """One number of another harness about one policy. Rates are fractions of 1."""

    policy: str
    suite: str
    task: str
    metric: str
    kind: str
    """`rate` or `mean`."""
    value: float
    n: int | None
    k: int | None
    errors: int = 0
    """Episodes outside `n` that ended in an error, where the file tells them apart."""
    protocol: str = ""
    note: str = ""
    source: str = ""


@dataclass(frozen=True)
class Score:
    """One score of a vision-language model on a benchmark. Rates are fractions of 1."""

    model: str
    backbone: str
    benchmark: str
    metric: str
    value: float
    unit: str = "fraction"
    n: int | None = None
    k: int | None = None
    chance: float | None = None
    note: str = ""
    source: str = ""


class Library:
    """The tables of one store file that hold what did not come from `bench run`."""

    def __init__(self, database: Database, create: bool = False) -> None:
        """Use `Store.library`. Raises StoreError if the tables are of another version."""
        self._db = database
        with sentences(database.file):
            self._settle(create)

    @classmethod
    def open(cls, where: str | Path | None = None, *, create: bool = False) -> Library:
        """The library of the store at `where`, as `Store.open` finds it. Raises StoreError."""
        return cls(connect(file_of(where), create), create)

    def __enter__(self) -> Self:
        """The library itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back the file."""
        self._db.close()

    def add(
        self,
        source: Source,
        results: Sequence[ImportedResult] = (),
        scores: Sequence[Score] = (),
    ) -> bool:
        """Enter a source with all it holds, in one transaction.

        Returns:
            False if the source is there already: the same file is not entered twice.
        """
        with self._db.write() as connection:
            known = select(_sources.c.id).where(_sources.c.id == source.id)
            if connection.execute(known).first() is not None:
                return False
            row = asdict(source) | {"provenance": json.dumps(dict(source.provenance))}
            connection.execute(insert(_sources).values(row))
            for table, records in ((_results, results), (_scores, scores)):
                rows = [asdict(record) | {"source": source.id} for record in records]
                if rows:
                    connection.execute(insert(table), rows)
        return True

    def remove(self, source: str) -> None:
        """Take a source out again, with everything it brought. Raises UnknownName."""
        known = [one.id for one in self.sources()]
        if source not in known:
            raise UnknownName("imported source", source, known, "`bench import --list` shows all.")
        with self._db.write() as connection:
            connection.execute(delete(_sources).where(_sources.c.id == source))

    def sources(self) -> list[Source]:
        """Every source, the oldest first."""
        rows = self._read(select(_sources).order_by(_sources.c.created))
        return [Source(**(row | {"provenance": json.loads(row["provenance"])})) for row in rows]

    def results(self) -> list[ImportedResult]:
        """Every imported result, in the order of entry."""
        return [ImportedResult(**row) for row in self._without_id(_results)]

    def scores(self) -> list[Score]:
        """Every score, in the order of entry."""
        return [Score(**row) for row in self._without_id(_scores)]

    def _without_id(self, table: Table) -> list[Columns]:
        rows = self._read(select(table).order_by(table.c.id))
        return [{name: value for name, value in row.items() if name != "id"} for row in rows]

    def _settle(self, create: bool) -> None:
        with self._db.write() if create else self._db.engine.begin() as connection:
            there = "sources" in inspect(connection).get_table_names()
            if not there and create:
                _metadata.create_all(connection)
                connection.execute(insert(_meta).values(name=_NAME, value=str(VERSION)))
                return
            query = select(_meta.c.value).where(_meta.c.name == _NAME)
            version = connection.execute(query).scalar() if there else str(VERSION)
        if version != str(VERSION):
            raise StoreError(
                f"What {self._db.file} holds of others' results is of version {version}; "
                f"this vlm4vla reads version {VERSION}.",
                "Read it with the vlm4vla that wrote it.",
            )

    def _read(self, query: Select[Any]) -> list[Columns]:
        with self._db.engine.begin() as connection:
            there = "sources" in inspect(connection).get_table_names()
        return self._db.read(query) if there else []
