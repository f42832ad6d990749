"""One idiom for options: what a class declares is what a user may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.options import Bounds, check, names, read


@dataclass(frozen=True)
class Lamp:
    colour: Literal["red", "green"] = "red"
    watts: Annotated[int, Bounds(1, 100)] = 5
    dim: Annotated[float, Bounds(0, 1)] = 1.0
    on: bool = False
    label: str = ""


@dataclass(frozen=True)
class Wired(Lamp):
    socket: str = "wall"


@dataclass(frozen=True)
class Needy:
    folder: str


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, Lamp()),
        ({"watts": "60", "dim": "1e-1", "on": "yes"}, Lamp(watts=60, dim=0.1, on=True)),
        ({"watts": 60, "dim": 1, "on": False}, Lamp(watts=60, dim=1.0)),
        ({"watts": 60.0, "label": 7}, Lamp(watts=60, label="7")),
        ({"colour": "green", "on": "No"}, Lamp(colour="green")),
    ],
)
def test_each_value_has_its_fields_type(given, wanted):
    found = read(Lamp, given, "lamp")
    assert found == wanted
    assert [type(getattr(found, name)) for name in names(Lamp)] == [str, int, float, bool, str]


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"wats": 1}, UnknownName, "no option of lamp named 'wats'. Did you mean watts?"),
        ({"colour": "rad"}, UnknownName, "no colour of lamp named 'rad'. Did you mean red?"),
        ({"watts": "many"}, OutOfRange, "watts many is not a whole number"),
        ({"watts": 1.5}, OutOfRange, "watts 1.5 is not a whole number"),
        ({"watts": "inf"}, OutOfRange, "not a whole number"),
        ({"watts": True}, OutOfRange, "watts True is not a whole number"),
        ({"watts": 101}, OutOfRange, "watts 101 is outside 1..100"),
        ({"dim": "nan"}, OutOfRange, "dim nan is not a number"),
        ({"dim": -0.1}, OutOfRange, "dim -0.1 is outside 0..1"),
        ({"dim": None}, OutOfRange, "dim None is not a number"),
        ({"dim": 10**400}, OutOfRange, "dim 1000"),
        ({"dim": "9" * 400}, OutOfRange, "is outside 0..1"),
        ({"watts": 10**400}, OutOfRange, "is outside 1..100"),
        ({"watts": "9" * 5000}, OutOfRange, "is not a whole number"),
        ({"on": "perhaps"}, UnknownName, "no on of lamp named 'perhaps'"),
        ({"on": 1}, UnknownName, "Known: no, yes"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given, kind, said):
    with pytest.raises(kind) as error:
        read(Lamp, given, "lamp")
    assert said in str(error.value)
    with pytest.raises(kind):
        check(Lamp, given, "lamp")


@pytest.mark.parametrize("large", [2**60 + 1, -(2**60) - 1])
def test_a_whole_number_keeps_all_its_digits(large):
    @dataclass(frozen=True)
    class Seeded:
        seed: int = 0

    assert read(Seeded, {"seed": large}, "die") == Seeded(large)
    assert read(Seeded, {"seed": str(large)}, "die") == Seeded(large)
    assert read(Seeded, {"seed": "1e3"}, "die") == Seeded(1000)


def test_a_class_may_extend_another_and_may_ask_for_something():
    assert read(Wired, {"socket": "floor", "watts": "3"}, "lamp") == Wired(watts=3, socket="floor")
    with pytest.raises(BadInput, match="lamp needs the option folder"):
        read(Needy, {}, "lamp")


def test_names_alone_say_nothing_of_values():
    check(("mood", "tone"), {"mood": "any"}, "lamp")
    with pytest.raises(UnknownName, match="Did you mean mood"):
        check(("mood", "tone"), {"moot": "any"}, "lamp")


def test_every_shipped_option_is_declared_so():
    """Unknown names are refused, with near ones, by whoever ships options."""
    from vlm4vla import simulators
    from vlm4vla.policies import names as policies
    from vlm4vla.policies import policy_class

    for name in simulators.names():
        with pytest.raises(UnknownName, match=f"option of {name} named 'nonsense'"):
            simulators.plugin(name).describe({"nonsense": 1})
    for name in policies():
        known = policy_class(name, simulators.plugin("toy")).known_options
        with pytest.raises(UnknownName, match="named 'nonsense'"):
            check(known, {"nonsense": "1"}, name)
        assert isinstance(known, type) or known == ()


def test_simulator_hosts_can_read_them_with_the_standard_library_alone(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from vlm4vla.simulators.toy.world import ToyOptions\n"
        "from vlm4vla.core.options import read\n"
        "assert read(ToyOptions, {'step_ms': 3}, 'toy').step_ms == 3.0\n"
        "foreign = {'pydantic', 'typer', 'yaml', 'pandas'} & set(sys.modules)\n"
        "assert not foreign, foreign\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
