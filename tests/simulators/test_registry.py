"""Simulators by name, and what happens to names and classes that are none."""

from __future__ import annotations

import pytest

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.simulator import SimulatorPlugin
from vlm4vla.simulators import names, plugin
from vlm4vla.simulators.toy.plugin import Toy


def test_every_registered_name_is_a_plugin_of_that_name():
    assert {"grinningface", "toy"} <= set(names())
    for name in names():
        found = plugin(name)
        assert isinstance(found, SimulatorPlugin) and found.name == name and found.summary


def test_a_class_is_found_by_its_path():
    assert isinstance(plugin("vlm4vla.simulators.toy.plugin:Toy"), Toy)


def test_a_name_that_is_none_is_answered_with_its_neighbour():
    with pytest.raises(UnknownName, match="Did you mean grinningface"):
        plugin("grinnigface")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("no.such.module:Toy", "No module named 'no'"),
        ("vlm4vla.simulators.toy.plugin:Tuy", "no attribute 'Tuy'"),
        ("vlm4vla.simulators.toy.world:World", "not a SimulatorPlugin"),
        ("vlm4vla.core.simulator:SimulatorPlugin", "not a SimulatorPlugin"),
        ("./toy:Toy", "not of the form"),
    ],
)
def test_a_class_that_cannot_serve_is_refused(reference, said):
    with pytest.raises(BadInput, match=said) as caught:
        plugin(reference)
    assert caught.value.fix
