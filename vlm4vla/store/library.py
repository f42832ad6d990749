"""What others measured, and how good a model is without a robot: tables beside the runs.

They lie in the store apart from `runs` and `episodes`, so that nothing imported can be taken for a
run of ours: no report that reads runs sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Table, delete, insert, select

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import UnknownName
from vlm4vla.store.connect import Database
from vlm4vla.store.encode import encoded, records
from vlm4vla.store.records import now
from vlm4vla.store.schema import imported_results, sources, vqa_scores


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

    @classmethod
    def rate(
        cls, policy: str, suite: str, task: str, metric: str, k: int, n: int, note: str = ""
    ) -> ImportedResult:
        """A counted rate."""
        return cls(policy, suite, task, metric, "rate", k / n, n, k, note=note)


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
    """The tables of one store that hold what did not come from `bench run`."""

    def __init__(self, database: Database) -> None:
        """Use `Store.library`."""
        self._db = database

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
            known = select(sources.c.id).where(sources.c.id == source.id)
            if connection.execute(known).first() is not None:
                return False
            connection.execute(insert(sources).values(encoded(sources, asdict(source))))
            for table, numbers in ((imported_results, results), (vqa_scores, scores)):
                rows = [asdict(number) | {"source": source.id} for number in numbers]
                if rows:
                    connection.execute(insert(table), rows)
        return True

    def remove(self, source: str) -> None:
        """Take a source out again, with everything it brought. Raises UnknownName."""
        known = [one.id for one in self.sources()]
        fix = "`bench import --list` shows all."
        UnknownName.check("imported source", [source], known, fix)
        with self._db.write() as connection:
            connection.execute(delete(sources).where(sources.c.id == source))

    def sources(self) -> list[Source]:
        """Every source, the oldest first."""
        return [Source(**row) for row in self._rows(sources, "created")]

    def results(self) -> list[ImportedResult]:
        """Every imported result, in the order of entry."""
        return [ImportedResult(**row) for row in self._rows(imported_results)]

    def scores(self) -> list[Score]:
        """Every score, in the order of entry."""
        return [Score(**row) for row in self._rows(vqa_scores)]

    def _rows(self, table: Table, order: str = "id") -> list[dict[str, Any]]:
        if not self._db.has(table):
            return []  # before version 3 the first import made the tables
        return records(self._db, table, select(table).order_by(table.c[order]))
