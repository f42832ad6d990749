"""Policies by name: a simulator's experts, entry points of `vlm4vla.policies`, `module:Class`."""

from __future__ import annotations

import inspect
from importlib.metadata import entry_points

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.policy import Policy
from vlm4vla.core.reference import load_object
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
    found = load_object(
        "Policy",
        reference,
        "Write --policy module:Class, e.g. --policy my_policy:MyPolicy for my_policy.py in this "
        "folder.",
    )
    if not (isinstance(found, type) and issubclass(found, Policy)) or inspect.isabstract(found):
        raise BadInput(
            f"'{reference}' is not a policy.", "Subclass vlm4vla.policies.Policy and implement act."
        )
    return found
