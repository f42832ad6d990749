"""The Ray actor of a slot, apart from the rest: its process loads no more than it needs."""

from __future__ import annotations

from dataclasses import replace

import ray

from vlm4vla.rollout.hosts.host import HostConfig
from vlm4vla.rollout.hosts.host_process import HostProcess


class Slot(HostProcess):
    """Supervises one simulator host. One call at a time, in the actor's main thread.

    The main thread matters: a host asks the kernel to die with the thread that started it.
    """

    def __init__(self, config: HostConfig) -> None:
        """Start nothing yet; the first episode does."""
        super().__init__(replace(config, node=this_node()))


def this_node() -> str:
    """Ray's name of the node that this process runs on."""
    return str(ray.get_runtime_context().get_node_id())
