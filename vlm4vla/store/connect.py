"""Opening the SQLite file, and turning SQLite's codes into sentences with a remedy."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, Select, Table, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError

from vlm4vla.core import __version__
from vlm4vla.core.errors import StoreError
from vlm4vla.store.files import ELSEWHERE, disk_full, on_network, prepare_folder, writable
from vlm4vla.store.schema import VERSION, alembic_version, meta, metadata
from vlm4vla.store.versions import readable, upgrade, version_of

BUSY_S = 30.0
"""How long a writer waits for another one; a write takes milliseconds."""


Columns = dict[str, Any]
"""Column name -> value as SQLite takes it. Never leaves this package."""


@dataclass(frozen=True)
class Database:
    """The tables of one store. Safe for threads and for several processes at once."""

    file: Path
    engine: Engine
    version: str = VERSION
    """An older one can only be read."""

    def read(self, query: Select[Any]) -> list[Columns]:
        """The rows that a query finds."""
        with sentences(self.file), self.engine.begin() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def has(self, table: Table) -> bool:
        """Whether the table is there: an older version may lack it."""
        with sentences(self.file), self.engine.begin() as connection:
            return inspect(connection).has_table(table.name)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that takes the write lock at its beginning.

        One that reads first and writes later cannot wait for its turn: SQLite refuses it.
        """
        if self.version != VERSION:
            raise StoreError(
                f"The store {self.file} is an older version's, and was opened to be read.",
                "`bench run` and `bench import` upgrade it.",
            )
        with sentences(self.file), _writing(self.engine).begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back the file; the last one to close it folds the journal in."""
        self.engine.dispose()


def connect(path: Path, create: bool) -> Database:
    """Open the store at `path`.

    Args:
        path: the SQLite file.
        create: make it if it is missing, and check now that it can be written. Otherwise it must
            exist, and may lie on a medium that can only be read.

    Raises:
        StoreError: naming what is wrong and what to do.
    """
    if create:
        prepare_folder(path)
    elif not path.is_file():
        raise StoreError(
            f"There is no store at {path}.",
            "`bench run` makes one; --store FILE or VLM4VLA_STORE names another.",
        )
    with sentences(path):
        engine = _engine(path, create)
        try:
            with engine.begin() as connection:
                version = version_of(connection, path)
            if create:
                _settle_journal(engine, path)
                _create_tables(engine)
                upgrade(_writing(engine), path)
                return Database(path, engine)
            if not version:
                raise StoreError(
                    f"The store at {path} is empty so far.", "`bench run` fills it: try again."
                )
            return Database(path, readable(engine, path, version), version)
        except BaseException:
            engine.dispose()
            raise


def _writing(engine: Engine) -> Engine:
    return engine.execution_options(immediate=True)


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Raise StoreError in place of what SQLite says."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorname", "")
        if not code and isinstance(cause, sqlite3.OperationalError):
            code = "SQLITE_CORRUPT"  # Python's own complaint: text that is not UTF-8
        if not code:
            raise
        raise _sentence(path, code, str(cause)) from error


def _sentence(path: Path, code: str, said: str) -> StoreError:
    family = "_".join(code.split("_")[:2])
    if family == "SQLITE_FULL" or (
        family == "SQLITE_IOERR" and shutil.disk_usage(path.parent).free < 2**20
    ):
        return disk_full(path)
    if family in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
        return StoreError(
            f"The store {path} is damaged or is not a store ({said}).",
            f"Set it aside (mv {path} {path}.damaged); what is legible can be saved with "
            f'sqlite3 {path}.damaged ".recover" | sqlite3 {path}; {ELSEWHERE}',
        )
    if family in ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"):
        return StoreError(
            f"The store {path} cannot be opened for this ({said}).",
            "Give yourself read and write permission for the file and its folder, or copy it "
            f"(with {path.name}-wal beside it, if there is one) to a folder of yours, {ELSEWHERE}",
        )
    if family in ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"):
        return StoreError(
            f"Another process has kept the store {path} locked for {BUSY_S:.0f} s.",
            f"Wait for it, end it (fuser -v {path}), {ELSEWHERE}",
        )
    return StoreError(
        f"The store {path} cannot be used: {said} ({code}).",
        f"Check the disk, {ELSEWHERE}",
    )


def _engine(path: Path, create: bool) -> Engine:
    mode = "rwc" if create else "rw" if writable(path) else "ro"
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"
    if mode == "ro" and not Path(f"{path}-wal").exists():
        # Without this, a store in WAL mode cannot be read where SQLite may not make its -shm.
        uri += "&immutable=1"

    def open_file() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys=ON")
        # SQLite survives the death of the process with any setting but OFF. FULL also survives
        # that of the machine, at one fsync an episode.
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    engine = create_engine("sqlite://", creator=open_file, poolclass=QueuePool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _settle_journal(engine: Engine, path: Path) -> None:
    mode = "DELETE" if on_network(path) else "WAL"
    deadline = time.monotonic() + BUSY_S
    with closing(engine.raw_connection()) as connection:
        while True:
            try:
                connection.cursor().execute(f"PRAGMA journal_mode={mode}")
                return
            except sqlite3.OperationalError as error:
                # Two processes may make the same store: changing the mode does not wait its turn.
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _create_tables(engine: Engine) -> None:
    """Make them in a new file; leave any other file as it is."""
    with _writing(engine).begin() as connection:
        if not inspect(connection).get_table_names():
            metadata.create_all(connection)
            connection.execute(alembic_version.insert().values(version_num=VERSION))
            connection.execute(meta.insert().values(name="harness", value=__version__))
