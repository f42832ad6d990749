"""Policies by name: experts belong to their simulator, anybody's class to anybody."""

from __future__ import annotations

import pytest

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.policies import Policy, names, policy_class
from vlm4vla.policies.random import RandomPolicy
from vlm4vla.simulators import plugin
from vlm4vla.simulators.toy.expert import ToyExpert


def test_a_simulators_experts_are_offered_with_it_only():
    assert "expert" not in names() and {"random", "replay"} <= set(names())
    assert "expert" in names(plugin("toy"))
    assert policy_class("expert", plugin("toy")) is ToyExpert
    assert policy_class("expert", plugin("grinningface")) is not ToyExpert


@pytest.mark.parametrize("simulator", ["toy", "grinningface"])
def test_every_name_is_a_policy(simulator):
    here = plugin(simulator)
    for name in names(here):
        assert issubclass(policy_class(name, here), Policy)


def test_a_class_is_found_by_its_path():
    assert policy_class("vlm4vla.policies.random:RandomPolicy", plugin("toy")) is RandomPolicy


def test_a_name_that_is_none_is_answered_with_its_neighbour():
    with pytest.raises(UnknownName, match="Did you mean random") as caught:
        policy_class("ramdom", plugin("toy"))
    assert "module:" in caught.value.fix.replace("my_module", "module")


@pytest.mark.parametrize(
    "reference", ["vlm4vla.simulators.toy.world:World", "vlm4vla.core.policy:Policy", "json:loads"]
)
def test_what_is_no_policy_is_refused(reference):
    with pytest.raises(BadInput, match="is not a policy"):
        policy_class(reference, plugin("toy"))
