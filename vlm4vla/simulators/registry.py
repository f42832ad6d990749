"""Simulators by name: entry points of the group `vlm4vla.simulators`, or `module:Class`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from inspect import isabstract

from vlm4vla.core.errors import BadInput, MissingDependency, UnknownName
from vlm4vla.core.reference import load_object
from vlm4vla.core.simulator import Options, SimulatorPlugin


def names() -> list[str]:
    """Every registered simulator, installed or not."""
    return sorted({entry.name for entry in entry_points(group="vlm4vla.simulators")})


def target(name: str) -> str:
    """`module:Class` of that name; what has that form already stays. Raises UnknownName."""
    if ":" in name:
        return name
    for entry in entry_points(group="vlm4vla.simulators", name=name):
        return entry.value
    raise UnknownName("simulator", name, names(), "See: bench list simulators")


def plugin(name: str) -> SimulatorPlugin:
    """The plugin of that name. Raises UnknownName, or BadInput where its code cannot be used."""
    reference = target(name)
    made = load_object(
        "Simulator", reference, "Name a simulator (bench list simulators) or its class."
    )
    if not (isinstance(made, type) and issubclass(made, SimulatorPlugin)) or isabstract(made):
        raise BadInput(
            f"Simulator '{name}': {reference} is not a SimulatorPlugin.",
            "Subclass vlm4vla.core.simulator.SimulatorPlugin.",
        )
    return made()


def preflight(plugin: SimulatorPlugin, options: Options, rendering: bool) -> Mapping[str, str]:
    """The simulator's own check, in this process. Raises BadInput as it does."""
    try:
        return plugin.preflight(options, rendering)
    except ImportError as error:
        raise MissingDependency(
            f"Simulator '{plugin.name}' cannot run in {sys.executable}: {error}.",
            f"bench env install {plugin.name}, or name a Python that has it: bench run --python",
        ) from error
