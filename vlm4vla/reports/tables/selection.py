"""What a reader asks for: which rows, and how they are written. It needs no store to be known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TableFormat(StrEnum):
    """How tables are written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"


@dataclass(frozen=True)
class Selection:
    """What a reader asked for. A table heeds what concerns it.

    The first paragraph below each field is what `--help` says of it.
    """

    suites: tuple[str, ...] = ()
    """Only this suite (repeatable)."""
    policies: tuple[str, ...] = ()
    """Only this policy (repeatable)."""
    by_task: bool = False
    """A line for each task too."""
    all_runs: bool = False
    """Every run, not only the fullest of its kind."""
    published: bool = False
    """Set the papers' rows beside ours."""
    papers: tuple[str, ...] = ()
    """Only papers whose name holds this text (repeatable); with --published."""
    imported: bool = False
    """Set imported results beside ours."""
    campaign: str = ""
    """A campaign's table, the paper's row above ours.

    Its name or file.
    """
    literature: bool = False
    """What the literature claims of a suite instead: every method."""
    narrow: bool = False
    """For a terminal, which has little room."""

    @property
    def needs_store(self) -> bool:
        """Whether there is nothing to show without a store; what papers print needs none."""
        return self.imported or not (
            self.published or self.papers or self.campaign or self.literature
        )
