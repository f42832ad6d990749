"""The formats that every table is written in."""

from enum import StrEnum


class TableFormat(StrEnum):
    """How tables are written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"
