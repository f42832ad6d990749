"""A table: columns of typed cells. Every report is made of these, whatever format it is read in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vlm4vla.reports.marks import signs
from vlm4vla.stats.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Column:
    """What stands above a column, and how a terminal sets it."""

    name: str
    numeric: bool = False
    """Aligned to the right."""
    fold: bool = False
    """Long words may be broken where there is little room."""
    least: int = 0
    """As many characters of it are kept on one line, if it has so many."""


@dataclass(frozen=True)
class Cell:
    """A number with its interval, or words; and perhaps smaller lines below."""

    text: str = ""
    interval: str = ""
    """Behind the text, or below it where there is little room."""
    marks: tuple[str, ...] = ()
    """Names of `reports.marks`: their signs stand behind the text."""
    below: tuple[str, ...] = ()
    value: Estimate | float | str | None = None
    """The number with all its digits, for programs; the text if None."""

    @property
    def main(self) -> str:
        """The text with its signs."""
        return self.text + signs(self.marks)

    @property
    def line(self) -> str:
        """Text, signs and interval."""
        return f"{self.main} {self.interval}" if self.interval else self.main

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, line by line."""
        return (self.line, *self.below)

    def noted(self, *below: str) -> Cell:
        """The cell with further lines directly below its first."""
        return replace(self, below=(*below, *self.below))


@dataclass(frozen=True)
class ResultTable:
    """One table."""

    title: str
    columns: tuple[Column, ...]
    body: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    """What must be known to read it, legends of its signs included."""

    def records(self) -> list[dict[str, object]]:
        """Its lines as a program reads them: an estimate is a value, `_low` and `_high`."""
        found = []
        for line in self.body:
            one: dict[str, object] = {"table": self.title}
            for column, cell in zip(self.columns, line, strict=True):
                one |= flat(column.name, cell.text if cell.value is None else cell.value)
                if cell.marks:
                    one[f"{column.name}_marks"] = cell.marks
            found.append(one)
        return found


@dataclass(frozen=True)
class Exhibit:
    """What a report shows: tables for people, records for programs, and what must be said."""

    tables: tuple[ResultTable, ...]
    records: Sequence[object] | None = None
    """Dataclasses, a line each in CSV; the tables' own lines if None."""
    record: type | None = None
    """Of which class the records are; heads a CSV file that has no line."""
    data: object = None
    """What JSON shows, where that is more than the records."""
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """Below the tables, on a screen alone."""
    name: str = ""
    """Of its section on the page."""
    heading: str = ""
    """Above that section."""
    drawings: Callable[[], Iterable[tuple[str, Axes]]] = tuple
    """Captions and drawings of that section, made when they are wanted."""

    def lines(self) -> Sequence[object]:
        """The records, or the tables' own."""
        if self.records is not None:
            return self.records
        return [record for table in self.tables for record in table.records()]


def flat(name: str, value: object) -> Mapping[str, object]:
    """An estimate as three fields, anything else as one."""
    if isinstance(value, Estimate):
        return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
    return {name: value}


def words(*texts: object) -> tuple[Cell, ...]:
    """A cell of plain text for each; empty for None."""
    return tuple(Cell("" if text is None else str(text)) for text in texts)


def columns(*names: str, numeric: Sequence[str] = (), fold: bool = False) -> tuple[Column, ...]:
    """Columns of these names, those in `numeric` aligned to the right."""
    return tuple(Column(name, name in numeric, fold) for name in names)
