"""The two sides as processes: started, watched, checked to have done what they claim, ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.perf import gauge
from tests.perf.ours import RUN
from tests.perf.workload import STEPS
from vlm4vla.core.result import Outcome
from vlm4vla.store import Store

PEER = "vla-eval"
PEER_VERSION = "0.8.0"
_ROOT = Path(__file__).resolve().parents[2]
_PEER_VENV = _ROOT / ".venv-peer"
_EPISODES = 2000  # a shard; more than fit into any window
_TOLERANCE = 0.15  # marks are a quarter of a second apart


@dataclass(frozen=True)
class Cell:
    """One row of the table."""

    side: str
    slots: int
    chunk: int
    wire: str
    """Ours: unix, tcp. The peer: raw, png."""
    recording: bool = True
    """Whether results are written; ours always are."""
    max_batch: int = 1
    """The peer's setting; ours takes whatever waits."""


def measure(cell: Cell, seconds: float) -> gauge.Window:
    """Run the cell's side until it has been watched for `seconds`. Raises RuntimeError."""
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    (folder / "steps").mkdir()
    (folder / "queries").mkdir()
    try:
        with _running(cell, folder) as (processes, launched):
            window = gauge.watch(processes, folder / "steps", cell.slots, launched, seconds)
            if cell.side == "ours":
                _check_wire(cell, folder)
            else:
                _check_queries(cell, folder, window)
        if cell.side == "ours":
            _check_store(cell, folder)
        return window
    except RuntimeError as error:
        texts = [file.read_text(errors="replace")[-1500:] for file in sorted(folder.glob("*.log"))]
        raise RuntimeError("\n".join([f"{cell}: {error}", *texts])) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install_peer() -> None:
    """Make the peer's environment, beside our own and out of git, if it is not there."""
    if not (_PEER_VENV / "bin" / PEER).exists():
        print(f"Installing {PEER} {PEER_VERSION} into {_PEER_VENV.name} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", _PEER_VENV], check=True)
        wanted = f"{PEER}=={PEER_VERSION}"
        subprocess.run([_PEER_VENV / "bin/pip", "install", "--quiet", wanted], check=True)
    code = f"from importlib.metadata import version; print(version('{PEER}'))"
    python = _PEER_VENV / "bin/python"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    if found.stdout.strip() != PEER_VERSION:
        sys.exit(f"{_PEER_VENV.name} holds {PEER} {found.stdout.strip()}: remove it, start again.")


@contextlib.contextmanager
def _running(cell: Cell, folder: Path) -> Iterator[tuple[list[subprocess.Popen[bytes]], float]]:
    """The cell's processes, with the moment the first was launched; all gone afterwards."""
    processes: list[subprocess.Popen[bytes]] = []
    launched = time.monotonic()
    try:
        if cell.side == "ours":
            processes.append(_ours(cell, folder))
        else:
            port = _free_port()
            processes.append(_peer_server(cell, folder, port))
            gauge.wait_for(lambda: _healthy(port), "the model server")
            processes += [_peer_shard(cell, folder, port, shard) for shard in range(cell.slots)]
        yield processes, launched
    finally:
        for process in reversed(processes):
            _end(process)


def _ours(cell: Cell, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.perf.ours", "--folder", str(folder)]
    command += ["--slots", str(cell.slots), "--chunk", str(cell.chunk)]
    return _launch(command + ["--tcp"] * (cell.wire == "tcp"), folder / "ours.log")


def _peer_server(cell: Cell, folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [str(_PEER_VENV / "bin/python"), "-m", "tests.perf.peer", "--port", str(port)]
    command += ["--marks", str(folder / "queries"), "--chunk", str(cell.chunk)]
    return _launch([*command, "--max-batch", str(cell.max_batch)], folder / "server.log")


def _peer_shard(cell: Cell, folder: Path, port: int, shard: int) -> subprocess.Popen[bytes]:
    config = {
        "server": {"url": f"ws://127.0.0.1:{port}"},
        "output_dir": str(folder / "results"),
        "benchmarks": [
            {
                "benchmark": "tests.perf.peer:ZeroBenchmark",
                "episodes_per_task": _EPISODES * cell.slots,
                "params": {"marks": str(folder / "steps"), "wire": cell.wire},
            }
        ],
    }
    file = folder / "peer.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    command = [str(_PEER_VENV / "bin" / PEER), "run", "-c", str(file), "--no-docker"]
    command += ["--eval-id", RUN]
    command += ["--no-save"] * (not cell.recording)
    if cell.slots > 1:
        command += ["--shard-id", str(shard), "--num-shards", str(cell.slots)]
    return _launch(command, folder / f"shard{shard}.log")


def _launch(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": "1",
    }
    with log.open("wb") as file:
        return subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would; by force, with whatever it started, if that does not help."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for orphan in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            orphan.kill()


def _check_wire(cell: Cell, folder: Path) -> None:
    """A simulator host has one connection, to the policy: is it TCP where TCP was wanted?"""
    living = 0
    for file in (folder / "steps").iterdir():
        with contextlib.suppress(psutil.NoSuchProcess):  # hosts are renewed after 1000 episodes
            found = psutil.Process(int(file.name)).net_connections(kind="tcp")
            living += 1
            if bool(found) != (cell.wire == "tcp"):
                raise RuntimeError(f"the wire is not {cell.wire}: TCP connections {found}")
    if not living:
        raise RuntimeError("no simulator host is alive")


def _check_store(cell: Cell, folder: Path) -> None:
    """Every episode was whole and asked the policy as often as the row says."""
    with Store.open(folder / "store.db") as store:
        rows = store.episodes(RUN)
    wrong = [
        row
        for row in rows
        if row.outcome is Outcome.ERROR or row.steps != STEPS or row.queries != STEPS // cell.chunk
    ]
    if wrong or not rows:
        raise RuntimeError(
            f"{len(wrong)} of {len(rows)} episodes are not what was asked: {wrong[:1]}"
        )


def _check_queries(cell: Cell, folder: Path, window: gauge.Window) -> None:
    """The model server predicted once per chunk."""
    queries = gauge.count(folder / "queries", window.start, window.end)
    if abs(queries * cell.chunk / window.steps - 1) > _TOLERANCE:
        raise RuntimeError(f"{queries:.0f} queries for {window.steps:.0f} steps")


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
