"""One simulator outside a run, for those who move it call by call: in the Python it belongs to."""

from __future__ import annotations

import os
from collections.abc import Callable

from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.environments.interpreter import choose
from vlm4vla.rollout.hosts.host import Inquiry, Subject
from vlm4vla.rollout.hosts.host_process import inquire
from vlm4vla.rollout.hosts.hosted import HostedConfig, HostedSimulator
from vlm4vla.simulators.registry import preflight, target


def maker(
    name: str, plugin: SimulatorPlugin, options: Options, rendering: bool
) -> Callable[[], Simulator]:
    """What makes one, checked: here, or in a host where its environment has a Python of its own.

    Args:
        name: as a suite file names it.
        plugin: the plugin of that name.
        options: the suite's.
        rendering: whether pictures will be asked for.

    Raises:
        BadInput: something lacks in the Python it runs in, or there is no such Python.
    """
    interpreter, _ = choose(name, None)
    if interpreter is None:
        preflight(plugin, options, rendering)
        return lambda: plugin.create(options)
    there = HostedConfig(
        target(name), options, path_entries=(os.getcwd(),), interpreter=interpreter
    )
    subject: Subject = "facts with pictures" if rendering else "facts"
    inquire(Inquiry(**vars(there), subject=subject))
    return lambda: HostedSimulator(there)
