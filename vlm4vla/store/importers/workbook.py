"""The first sheet of an Excel workbook as rows, for the tables that evaluation kits write.

Such a file is a ZIP of XML (ECMA-376, part 1, 18.3); reading cells needs nothing but the standard
library.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SHEET, _TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


def rows(path: Path) -> list[dict[str, str]]:
    """Each line under the header, by the header's names; empty cells are empty texts.

    Raises BadZipFile, KeyError or ElementTree.ParseError for what is no workbook.
    """
    with ZipFile(path) as archive:
        sheet = ElementTree.fromstring(archive.read(_SHEET))
        kept = archive.read(_TEXTS) if _TEXTS in archive.namelist() else b"<sst/>"
    texts = [_text(one) for one in ElementTree.fromstring(kept).iter(f"{_SPACE}si")]
    lines = [
        {_column(cell): _value(cell, texts) for cell in row.iter(f"{_SPACE}c")}
        for row in sheet.iter(f"{_SPACE}row")
    ]
    if not lines:
        return []
    header, *body = lines
    return [{name: line.get(at, "") for at, name in header.items()} for line in body]


def _column(cell: ElementTree.Element) -> str:
    """`AB` of `AB12`."""
    return re.sub(r"\d", "", cell.get("r", ""))


def _value(cell: ElementTree.Element, texts: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return _text(cell)
    value = cell.findtext(f"{_SPACE}v", "")
    return texts[int(value)] if cell.get("t") == "s" else value


def _text(element: ElementTree.Element) -> str:
    return "".join(part.text or "" for part in element.iter(f"{_SPACE}t"))
