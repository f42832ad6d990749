"""Stores of other versions: told apart, brought up to today's, or read as they are."""

from __future__ import annotations

import filecmp
import itertools
import logging
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, QueuePool, create_engine, inspect, select, update

from vlm4vla.core import __version__
from vlm4vla.core.errors import StoreError
from vlm4vla.store.files import ELSEWHERE
from vlm4vla.store.schema import VERSION, alembic_version, meta

_KNOWN = ("0001", "0002", "0003", "0004", VERSION)
_READABLE = ("0002", "0003", "0004", VERSION)
"""Their tables lack nothing that cannot be left out, so that they need no copy to be read."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_log = logging.getLogger("vlm4vla.store")


def version_of(connection: Connection, path: Path) -> str:
    """The version of a store's tables; empty while it has none.

    Raises:
        StoreError: it is another program's, or of a version that is not known here.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return ""
    if "meta" not in tables:
        raise StoreError(
            f"{path} is a database, but not one of vlm4vla's.", f"Name another, {ELSEWHERE}"
        )
    facts = {row.name: row.value for row in connection.execute(select(meta))}
    if alembic_version.name in tables:
        version = str(connection.execute(select(alembic_version)).scalar())
    else:  # before Alembic
        version = f"{facts.get('schema', '?'):0>4}"
    if version not in _KNOWN:
        maker = facts.get("harness", "?")
        raise StoreError(
            f"The store {path} was made by another version of vlm4vla: {maker} with tables of "
            f"version {_shown(version)}; this is {__version__} with version {_shown(VERSION)}.",
            f"Read it with that version (pip install vlm4vla=={maker}), {ELSEWHERE}",
        )
    return version


def upgrade(engine: Engine, path: Path) -> None:
    """Bring the tables up to today's, all or nothing, and keep a copy of the file as it was.

    Args:
        engine: its transactions take the write lock at their beginning: of several processes one
            upgrades, the others find it done.
        path: the store.
    """
    with engine.begin() as connection:
        old = version_of(connection, path)
        if old == VERSION:
            return
        kept = _keep(engine, path, old)
        _migrate(connection, path, old, f"{path} and its copy {kept} are as they were")
    _log.warning(
        "The store %s was upgraded from version %s to %s; as it was it is kept in %s.",
        path, _shown(old), _shown(VERSION), kept,
    )  # fmt: skip


def readable(engine: Engine, path: Path, version: str) -> Engine:
    """Connections that read an older store as if it were today's, without changing the file."""
    if version in _READABLE:
        return engine
    copy = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # a nameless file
    _copy(engine, copy)
    engine.dispose()
    # The file is this one connection's: threads take turns.
    upgraded = create_engine(
        "sqlite://", creator=lambda: copy, poolclass=QueuePool, pool_size=1, max_overflow=0
    )
    with upgraded.begin() as connection:
        _migrate(connection, path, version, "the file is as it was")
    return upgraded


def _keep(engine: Engine, path: Path, version: str) -> Path:
    """Copy the file beside itself, under a name that is free or holds the same already."""
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)  # a killed upgrade's
    try:
        with closing(sqlite3.connect(draft)) as copy:
            _copy(engine, copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, wherever it is taken
        stem = f"{path.stem}-v{_shown(version)}"
        names = (f"{stem}-{n}" if n > 1 else stem for n in itertools.count(1))
        places = (path.with_name(name + path.suffix) for name in names)
        # An upgrade that was killed has left the same copy already.
        kept = next(p for p in places if not p.exists() or filecmp.cmp(draft, p, shallow=False))
        return kept if kept.exists() else draft.rename(kept)
    finally:
        draft.unlink(missing_ok=True)


def _copy(engine: Engine, to: sqlite3.Connection) -> None:
    with closing(engine.raw_connection()) as source:
        source.driver_connection.backup(to)  # type: ignore[union-attr]


def _migrate(connection: Connection, path: Path, version: str, kept: str) -> None:
    from alembic import command
    from alembic.config import Config

    if not inspect(connection).has_table(alembic_version.name):
        alembic_version.create(connection)
        connection.execute(alembic_version.insert().values(version_num=version))
    config = Config(attributes={"connection": connection, "artifacts": path.resolve().parent})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        command.upgrade(config, VERSION)
    except (TypeError, ValueError, OverflowError, MemoryError, zlib.error) as error:
        raise StoreError(
            f"The store {path} is damaged: it cannot be brought from version {_shown(version)} to "
            f"{_shown(VERSION)} ({type(error).__name__}: {str(error)[:200]}); {kept}.",
            f"Restore the file from a copy, {ELSEWHERE}",
        ) from error
    connection.execute(update(meta).where(meta.c.name == "harness").values(value=__version__))


def _shown(version: str) -> str:
    return version.lstrip("0") or version or "?"
