"""One Ray for all processes of a test session: started by the first that needs it.

It lives in a process of its own, so that none of those who use it can take it away from the others,
and ends with the session's first process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120.0


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Other processes of the session wait here until this one has left."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this session, and no other session, have."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def shared_ray(folder: Path, environment: Mapping[str, str]) -> str:
    """The address of the session's Ray; what it starts gets that environment."""
    with one_at_a_time(folder / "ray.lock"):
        address = folder / "ray.address"
        if not address.exists():
            _start(address, environment)
        return address.read_text()


def _start(address: Path, environment: Mapping[str, str]) -> None:
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    log = address.with_suffix(".log")
    with log.open("w") as output:
        # Not as a child: the guard of whoever starts it kills all its descendants at the end, while
        # the session's other processes still have tests that need this Ray.
        subprocess.run(
            ["setsid", "--fork", sys.executable, "-m", "tests.shared_ray", address, str(owner)],
            cwd=ROOT, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, check=True,
        )  # fmt: skip
    deadline = time.monotonic() + PATIENCE_S
    while not address.exists():
        assert "Traceback" not in log.read_text() and time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def main(address: Path, owner: int) -> None:
    """Hold a Ray for as long as that process lives."""
    import ray

    from vlm4vla.rollout.cluster import cluster

    alive = os.pidfd_open(owner)
    with cluster():
        written = address.with_suffix(".part")
        written.write_text(ray.get_runtime_context().gcs_address)
        written.rename(address)
        select.select([alive], [], [])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
