"""Policies by name: a simulator's experts, entry points of `vlm4vla.policies`, `module:Class`."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.policy import Policy
from vlm4vla.core.simulator import SimulatorPlugin

_FIX = "See: bench list policies. Your own: --policy my_module:MyPolicy"


def names(simulator: SimulatorPlugin | None = None) -> list[str]:
    """Registered policies, with the experts of `simulator` where one is given."""
    found = {entry.name for entry in entry_points(group="vlm4vla.policies")}
    return sorted(found | set(simulator.experts() if simulator else ()))


def target(name: str, simulator: SimulatorPlugin) -> str:
    """`module:Class` of the policy called `name` against this simulator. Raises UnknownName."""
    if ":" in name:
        return name
    experts = simulator.experts()
    if name in experts:
        return experts[name]
    for entry in entry_points(group="vlm4vla.policies", name=name):
        return entry.value
    raise UnknownName("policy", name, names(simulator), _FIX)


def policy_class(name: str, simulator: SimulatorPlugin) -> type[Policy]:
    """The class behind `name`. Raises UnknownName, or BadInput where its code cannot be used."""
    return load(target(name, simulator))


def load(reference: str) -> type[Policy]:
    """The Policy subclass at `module:Class`."""
    module, _, attribute = reference.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BadInput(
            f"Policy '{reference}' cannot be loaded: {error}.",
            "Write --policy module:Class with a module importable from this folder.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Policy)):
        raise BadInput(
            f"'{reference}' is not a policy.", "Subclass vlm4vla.policies.Policy and implement act."
        )
    return found
