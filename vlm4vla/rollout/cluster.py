"""Ray for the time of a run: started on this machine, or joined where it already runs.

Ray places, supervises and counts its two kinds of actors; it carries no frames.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import BenchError, HarnessFault
from vlm4vla.policies import registry
from vlm4vla.rollout.guard import Guard
from vlm4vla.rollout.hosts.host import HostConfig
from vlm4vla.rollout.local_ray import scheduler_alone
from vlm4vla.rollout.policy_client import Address
from vlm4vla.rollout.policy_server import PolicyServer, QueryCounts
from vlm4vla.rollout.slot import Slot, this_node

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
        with scheduler_alone():
            ray.init(
                log_to_driver=False,
                configure_logging=False,
                logging_level=logging.ERROR,
                **settings,
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
        node=this_node(),
        nodes=sum(node["Alive"] for node in ray.nodes()),
        cpus=int(ray.cluster_resources().get("CPU", 1)),
    )


@dataclass(frozen=True)
class Job:
    """Everything needed to run a list of episodes."""

    host: HostConfig
    episodes: Sequence[Episode]
    policy: str
    """`module:Class` of the policy."""
    policy_options: Mapping[str, str] = field(default_factory=dict)
    slots: int = 1
    max_batch: int = 64
    retries: int = 2
    tcp: bool = False
    """Use TCP even on one node."""
    video_folder: Path | None = None
    give_up_after: int = 20
    """First episodes after which a policy that failed alike in all of them is given up."""


class PolicyActor:
    """Holds the policy and its server; the server runs in a thread of its own."""

    def __init__(self, path_entries: Sequence[str]) -> None:
        """Make the user's own modules importable; nothing is loaded yet."""
        sys.path[:0] = [entry for entry in path_entries if entry not in sys.path]

    def load(self, job: Job, tcp: bool) -> Address:
        """Load the policy and begin to listen; where hosts find the server.

        Raises HarnessFault with the policy's own words and the line that said them.
        """
        cls, simulator = registry.load(job.policy), job.host.loop.simulator
        spec = cls.describe(simulator, **job.policy_options)
        try:
            policy = cls(simulator, **job.policy_options)
        except BenchError:
            raise
        except Exception as error:
            # A user's constructor may raise anything; what it said is what the user needs.
            where = traceback.extract_tb(error.__traceback__)[-1]
            raise HarnessFault(
                f"Policy '{job.policy}' cannot be loaded: {type(error).__name__}: {error}",
                f"It was raised in {where.filename}, line {where.lineno}.",
            ) from None
        self._server = PolicyServer(policy, spec.action.size, job.max_batch, this_node(), tcp)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        return self._server.address

    def alive(self) -> bool:
        """Whether the server still serves."""
        return self._thread.is_alive()

    def statistics(self) -> QueryCounts:
        """Queries and batches so far."""
        return self._server.statistics

    def close(self) -> None:
        """Stop serving and remove the socket."""
        self._server.stop()
        self._thread.join(5)
