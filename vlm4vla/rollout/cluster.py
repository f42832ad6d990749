"""Ray for the time of a run: started on this machine, or joined where it already runs."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray

from vlm4vla.rollout.guard import Guard

_OBJECT_STORE = 100 * 2**20  # results are small; frames never pass through Ray


@dataclass(frozen=True)
class Cluster:
    """What the engine must know of the Ray it runs in."""

    nodes: int
    cpus: float

    def actor_options(self, cls: type) -> Any:
        """The Ray actor class of `cls`; a slot claims no CPU, since their number is chosen."""
        return ray.remote(num_cpus=0, max_restarts=0)(cls)


@contextlib.contextmanager
def cluster(address: str | None = None) -> Iterator[Cluster]:
    """A running Ray: the one already initialised in this process, `address`, or a new local one.

    What was started here is shut down at the end; if this process is killed, the kernel ends it.
    """
    if ray.is_initialized():
        yield _present()
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    settings: dict[str, Any] = {"address": address} if address else _local_settings()
    guard = Guard()
    try:
        with _quiet():
            ray.init(
                log_to_driver=False,
                configure_logging=False,
                logging_level=logging.ERROR,
                **settings,
            )
        guard.tell()
        yield _present()
    finally:
        ray.shutdown()
        guard.close()


def _present() -> Cluster:
    return Cluster(
        nodes=sum(node["Alive"] for node in ray.nodes()),
        cpus=ray.cluster_resources().get("CPU", 1.0),
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's greeting off the terminal; an error of its start still raises."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _local_settings() -> dict[str, Any]:
    return {
        "address": "local",
        "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE,
    }
