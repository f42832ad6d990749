"""Ray for the time of a run: started on this machine, or joined where it already runs."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vlm4vla.rollout.actors import PolicyActor, Slot
from vlm4vla.rollout.guard import Guard

_LOCAL = {
    "address": "local",
    "include_dashboard": False,
    "object_store_memory": 100 * 2**20,  # results are small; frames never pass through Ray
}


@dataclass(frozen=True)
class Cluster:
    """What the engine must know of the Ray it runs in."""

    node: str
    """The driver's node."""
    nodes: int
    cpus: int
    """Cores of all nodes together."""

    def slot(self) -> Any:
        """The slots' Ray actor class. Among several nodes each claims a core: it spreads them."""
        return ray.remote(num_cpus=int(self.nodes > 1), max_restarts=0)(Slot)

    def policy(self) -> Any:
        """The policy server's Ray actor class, on the driver's node."""
        here = NodeAffinitySchedulingStrategy(self.node, soft=True)
        return ray.remote(num_cpus=0, max_restarts=0, scheduling_strategy=here)(PolicyActor)


@contextlib.contextmanager
def cluster(address: str | None = None) -> Iterator[Cluster]:
    """A running Ray: the one already initialised in this process, `address`, or a new local one.

    What was started here is shut down at the end; if this process is killed, the kernel ends it.
    """
    if ray.is_initialized():
        yield _present()
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray's 15 lets anything else on the machine win.
    os.environ.setdefault("RAY_worker_niceness", "0")
    settings: dict[str, Any] = {"address": address} if address else _LOCAL
    logger = logging.getLogger("ray")
    level = logger.level
    guard = Guard()
    try:
        logger.setLevel(logging.ERROR)  # no greeting on the terminal; its errors still raise
        ray.init(
            log_to_driver=False, configure_logging=False, logging_level=logging.ERROR, **settings
        )
        logger.setLevel(level)
        guard.tell()
        yield _present()
    finally:
        logger.setLevel(level)
        ray.shutdown()
        guard.close()


def _present() -> Cluster:
    return Cluster(
        node=ray.get_runtime_context().get_node_id(),
        nodes=sum(node["Alive"] for node in ray.nodes()),
        cpus=int(ray.cluster_resources().get("CPU", 1)),
    )
