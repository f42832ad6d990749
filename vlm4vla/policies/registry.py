"""Policies by name: experts of a simulator, backbones, entry points, `module:Class`."""

from __future__ import annotations

import inspect
from importlib.metadata import entry_points

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.policy import Policy
from vlm4vla.core.reference import load_object
from vlm4vla.core.simulator import SimulatorPlugin
from vlm4vla.models.registry import entries
from vlm4vla.policies import vla

_FIX = "See: bench list policies. Your own: --policy my_module:MyPolicy"


def names(simulator: SimulatorPlugin | None = None) -> list[str]:
    """Registered policies and backbones, with the experts of `simulator` where one is given."""
    found = {entry.name for entry in entry_points(group="vlm4vla.policies")} | set(entries())
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
    if name in entries():
        return f"{vla.__name__}:{name}"
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
