"""Where a store lies, what its folder allows, and who writes there."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlm4vla.core.errors import RunConflict, StoreError

VARIABLE = "VLM4VLA_STORE"
DEFAULT = Path("results/bench.db")
"""Under the working directory."""

_URL = re.compile(r"([a-z][a-z0-9+]*)://(.*)", re.DOTALL)

LEAST_FREE_BYTES = 8 * 2**20
"""A run is not begun with less room than this: some hundred episodes with their actions."""

COMFORTABLE_GB = 1.0
"""`bench doctor` complains below this."""

ELSEWHERE = f"or choose another place with --store FILE or {VARIABLE}."

# File systems whose shared memory or locks do not reach all clients: WAL would corrupt there
# (sqlite.org/wal.html, "WAL does not work over a network filesystem").
_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "virtiofs", "wekafs",
}  # fmt: skip


def file_of(where: str | Path | None = None) -> Path:
    """The file of the store at `where`, by default at `VLM4VLA_STORE` or `DEFAULT`.

    Args:
        where: a path, or `sqlite:///relative/path`, `sqlite:////absolute/path`.

    Raises:
        StoreError: a URL of another kind.
    """
    if where is None:
        where = os.environ.get(VARIABLE) or DEFAULT
    url = _URL.fullmatch(str(where)) if isinstance(where, str) else None
    if url is None:
        return Path(where)
    kind, rest = url[1].partition("+")[0], url[2]
    if kind in ("postgresql", "postgres"):
        problem = "A store in PostgreSQL is not supported yet."
    elif kind != "sqlite":
        problem = f"There is no store of the kind {kind}://."
    elif "?" in rest or not re.fullmatch(r"/[^:].*", rest, re.DOTALL):
        problem = f"{where} does not name a file."
    else:
        return Path(rest[1:])
    # The rest is not repeated: a URL may hold a password.
    raise StoreError(problem, f"Name a file: --store {DEFAULT}, or sqlite:///{DEFAULT}")


def beside(folder: Path, name: str) -> Path:
    """The file of a store of that name in a folder that holds other things too."""
    return folder / f"{name}{DEFAULT.suffix}"


def mount_type(path: Path, mounts: str | None = None) -> str:
    """File system type under `path`, e.g. `ext4`; empty where the system does not tell.

    Args:
        path: need not exist.
        mounts: text in the format of /proc/mounts, which is read if it is None.
    """
    if mounts is None:
        table = Path("/proc/mounts")
        mounts = table.read_text(errors="replace") if table.is_file() else ""
    target = path.resolve()
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        point = Path(fields[1].replace("\\040", " ").replace("\\011", "\t"))
        # A later mount on the same point hides the earlier one, hence >=.
        if target.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def on_network(path: Path, mounts: str | None = None) -> bool:
    """Whether the store would lie on a file system shared by several machines."""
    kind = mount_type(path, mounts)
    return kind.removeprefix("fuse.") in _NETWORK or kind == "fuse.sshfs"


def writable(path: Path) -> bool:
    """Whether the file and its folder can be written: SQLite needs both."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def prepare_folder(path: Path) -> None:
    """Make the store's folder, and check that there is room and permission."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise StoreError(
            f"The store's folder {path.parent} cannot be made: {error.strerror}.",
            f"Make a folder that you may write to, {ELSEWHERE}",
        ) from error
    if path.is_dir():
        raise StoreError(f"The store {path} is a folder, not a file.", "Name a file in it.")
    if not (writable(path) if path.exists() else os.access(path.parent, os.W_OK)):
        raise StoreError(
            f"The store {path} cannot be written: the file or its folder is read-only.",
            f"Give yourself write permission, {ELSEWHERE}",
        )
    if free < LEAST_FREE_BYTES:
        raise disk_full(path)


def room(where: str | Path | None = None) -> str:
    """How much room a store has, after writing beside it; its folder need not be there yet.

    Raises:
        StoreError: it cannot be written, or has hardly any room.
    """
    path = file_of(where)
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    fix = f"Choose another file with --store or {VARIABLE}."
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(bytes(1 << 20))
            probe.flush()
        if path.exists():
            with path.open("r+b"):
                pass
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}", fix) from error
    free = shutil.disk_usage(folder).free / 1e9
    if free < COMFORTABLE_GB:
        raise StoreError(f"{path}: only {free:.2f} GB free", fix)
    return f"{path} can be written, {free:.0f} GB free"


def disk_full(path: Path) -> StoreError:
    """The error for a store that has no room left."""
    return StoreError(
        f"The disk that holds the store {path} is full.",
        "Free some space and repeat the command (what was finished is kept), " + ELSEWHERE,
    )


@contextmanager
def run_lock(store: Path, run: str) -> Iterator[None]:
    """Hold `locks/<store>-<run>.lock` beside the store.

    The kernel frees it when the process dies, however it dies; children started with exec do not
    inherit it. The file stays: removing it would let two processes lock two files of one name.

    Raises:
        RunConflict: another process writes this run.
    """
    folder = store.parent / "locks"
    path = folder / f"{store.stem}-{re.sub(r'[^A-Za-z0-9_.-]', '_', run)}.lock"
    try:
        folder.mkdir(exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise StoreError(
            f"The lock {path} cannot be written: {error.strerror}.",
            "Give yourself write permission for the store's folder.",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunConflict(
                f"Run {run} is being written by {holder}.",
                "Wait for it, end it, or start another run with --new.",
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
