"""A real `bench run` in a process of its own, its children, and their violent deaths."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import StoreError
from vlm4vla.store import EpisodeRow, Store

VICTIMS = ("driver", "host", "slot", "policy")
_MARKS = {"slot": "ray::Slot", "policy": "ray::PolicyActor", "host": "vlm4vla.rollout.hosts.host"}


class Driver:
    """One running command."""

    def __init__(self, arguments: Sequence[str], cwd: Path) -> None:
        command = [sys.executable, "-m", "vlm4vla.cli", "run", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def descendants(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def kill(self, victim: str, rng: random.Random) -> bool:
        """SIGKILL one process of that kind; False if there is none at the moment."""
        if victim == "driver":
            self.process.kill()
            return True
        marked = [p for p in self.descendants() if _MARKS[victim] in command_of(p)]
        if not marked:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            rng.choice(marked).kill()
        return True

    def wait(self, timeout_s: float) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, output


@contextlib.contextmanager
def driving(arguments: Sequence[str], cwd: Path) -> Iterator[Driver]:
    """A command that is surely over, with all its children, when the block ends."""
    driver = Driver(arguments, cwd)
    tree: dict[int, psutil.Process] = {}
    try:
        yield driver
        tree |= {p.pid: p for p in driver.descendants()}
    finally:
        tree |= {p.pid: p for p in driver.descendants()}
        with contextlib.suppress(ProcessLookupError):
            driver.process.send_signal(signal.SIGKILL)
        driver.process.communicate()
        survivors(list(tree.values()), 10)


def survivors(processes: Sequence[psutil.Process], patience_s: float) -> list[str]:
    """Those still alive after that time."""
    deadline = time.monotonic() + patience_s
    while True:
        alive = [p for p in processes if _alive(p)]
        if not alive or time.monotonic() > deadline:
            return [f"{p.pid} {command_of(p)[:80]}" for p in alive]
        time.sleep(0.05)


def rows(path: Path) -> list[EpisodeRow]:
    """All episodes of the only run in the store; none while there is no run."""
    if not path.exists():
        return []
    with Store.open(path) as store:
        runs = store.runs()
        assert len(runs) <= 1, "the same command must continue the same run"
        return store.episodes(runs[0].id) if runs else []


def wait_for_rows(path: Path, count: int, driver: Driver, timeout_s: float = 60) -> int:
    """Wait until so many episodes are stored, or the command has ended; how many there are."""
    deadline = time.monotonic() + timeout_s
    stored = 0
    while time.monotonic() < deadline:
        with contextlib.suppress(StoreError):  # it may be caught while it is being made
            stored = len(rows(path))
        if stored >= count or driver.process.poll() is not None:
            return stored
        time.sleep(0.2)  # reading takes from the cores that the command runs on
    raise AssertionError(f"{stored} of {count} episodes after {timeout_s} s")


def whole(path: Path) -> dict[EpisodeKey, tuple[object, ...]]:
    """Every column of every row that is not a clock, a machine's memory or a count of attempts."""
    with Store.open(path) as store:
        run = store.runs()[0].id
        return {
            row.key: (
                row.instruction,
                row.outcome,
                row.success_any,
                row.success_last,
                tuple(row.stages.items()),
                tuple(row.measures.items()),
                row.steps,
                row.queries,
                row.renders,
                row.error,
                row.error_text,
                store.actions(run, row.key).tobytes(),
            )
            for row in store.episodes(run)
        }


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return ""
