"""Result files of others, read into the library: each kind of file in a module of its own."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from pathlib import Path

from vlm4vla.core import __version__
from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.store.importers import (
    audit,
    lab_csv,
    lmms_eval,
    plain_csv,
    vla_eval,
    vlm4vla_files,
    vlmevalkit,
)
from vlm4vla.store.importers.found import RESULTS_README, Asked, Found, ResultFile
from vlm4vla.store.library import Library, Source

__all__ = ["FORMATS", "Asked", "Found", "enter", "read"]

FORMATS = ("vla-eval", "vlm4vla", "vlmevalkit", "lmms-eval", "audit", "csv")
"""Names for `--format`."""

_Reader = tuple[str, str, Callable[[ResultFile], bool], Callable[[ResultFile], Found]]
_READERS: tuple[_Reader, ...] = (
    ("vla-eval", ".db .sqlite .sqlite3", vla_eval.is_recording, vla_eval.read_recording),
    ("vla-eval", ".json", vla_eval.is_report, vla_eval.read_report),
    ("vlm4vla", ".json", vlm4vla_files.is_rate, vlm4vla_files.read_rate),
    ("vlm4vla", ".json", vlm4vla_files.is_chains, vlm4vla_files.read_chains),
    ("lmms-eval", ".json", lmms_eval.is_results, lmms_eval.read_results),
    ("lmms-eval", ".jsonl", lmms_eval.is_samples, lmms_eval.read_samples),
    ("vlmevalkit", ".csv .json", vlmevalkit.is_table, vlmevalkit.read_table),
    ("audit", ".csv", audit.is_episodes, audit.read_episodes),
    ("csv", ".csv", plain_csv.is_table, plain_csv.read_table),
    ("csv", ".csv .tsv", lab_csv.is_table, lab_csv.read_table),
    ("vlm4vla", ".txt .log .out", vlm4vla_files.is_text, vlm4vla_files.read_text),
)


def read(path: Path, asked: Asked | None = None, format: str | None = None) -> Found:
    """The content of a result file of any known kind.

    Args:
        path: the file.
        asked: what the file does not say itself.
        format: one of `FORMATS`; by default told from name and content.

    Raises:
        InvalidFile: missing, unreadable, of no known kind, or contradicting itself.
        UnknownName: no such format.
    """
    UnknownName.check("format", [format] if format is not None else [], FORMATS)
    if not path.is_file():
        raise InvalidFile(f"There is no file {path}.", "Check the path.")
    file = ResultFile(path, asked or Asked())
    for name, endings, fits, reader in _READERS:
        if path.suffix.lower() in endings.split() and format in (None, name):
            try:
                if fits(file):
                    return reader(file)
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidFile(f"{path} cannot be read: {error}.", RESULTS_README) from error
    kind = f" as {format}" if format else ""
    raise InvalidFile(f"{path} cannot be read{kind}: no known result file.", RESULTS_README)


def enter(
    library: Library, path: Path, found: Found, command: str = "", selected_from: int = 1
) -> Source | None:
    """Put what was found into the library, with where it comes from.

    Args:
        library: where to.
        path: the file that was read.
        found: its content.
        command: what was typed.
        selected_from: the results are the best of so many, chosen on the same episodes.

    Returns:
        The new source, or None if the same file was entered before.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    source = Source(
        id=f"{found.format}-{digest[:8]}",
        kind="imported",
        format=found.format,
        file=path.name,
        sha256=digest,
        note=found.note,
        provenance={
            "file says": found.provenance,
            "path": str(path.absolute()),
            "command": command,
            "imported by": f"vlm4vla {__version__} on {platform.node()}",
            **({"selected_from": selected_from} if selected_from > 1 else {}),
        },
    )
    return source if library.add(source, found.results, found.scores) else None
