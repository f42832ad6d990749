"""The two Ray actors. Ray places, supervises and counts; it carries no frames."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace

import ray

from vlm4vla.core.errors import BenchError, HarnessFault
from vlm4vla.core.result import EpisodeResult
from vlm4vla.core.specs import SimulatorSpec
from vlm4vla.policies import registry
from vlm4vla.rollout.hosts.host import Assignment, HostConfig
from vlm4vla.rollout.hosts.host_process import HostProcess, Limits
from vlm4vla.rollout.policy_client import Address
from vlm4vla.rollout.policy_server import PolicyServer, QueryCounts


class Slot:
    """Supervises one simulator host. One call at a time, in the actor's main thread.

    The main thread matters: a host asks the kernel to die with the thread that started it.
    """

    def __init__(self, config: HostConfig, limits: Limits) -> None:
        """Start nothing yet; the first episode does."""
        self._host = HostProcess(replace(config, node=_node()), limits)

    def run(self, assignment: Assignment) -> EpisodeResult:
        """Run one episode to a result, an error result at worst."""
        return self._host.run(assignment)


class PolicyActor:
    """Holds the policy and its server; the server runs in a thread of its own."""

    def __init__(self, path_entries: Sequence[str]) -> None:
        """Make the user's own modules importable; nothing is loaded yet."""
        sys.path[:0] = [entry for entry in path_entries if entry not in sys.path]

    def load(
        self,
        reference: str,
        options: Mapping[str, str],
        simulator: SimulatorSpec,
        max_batch: int,
        tcp: bool,
    ) -> Address:
        """Load the policy and begin to listen; where hosts find the server.

        Raises HarnessFault with the policy's own words and the line that said them.
        """
        cls = registry.load(reference)
        spec = cls.describe(simulator, **options)
        try:
            policy = cls(simulator, **options)
        except BenchError:
            raise
        except Exception as error:
            # A user's constructor may raise anything; what it said is what the user needs.
            where = traceback.extract_tb(error.__traceback__)[-1]
            raise HarnessFault(
                f"Policy '{reference}' cannot be loaded: {type(error).__name__}: {error}",
                f"It was raised in {where.filename}, line {where.lineno}.",
            ) from None
        self._server = PolicyServer(policy, spec.action.size, max_batch, _node(), tcp)
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


def _node() -> str:
    return str(ray.get_runtime_context().get_node_id())
