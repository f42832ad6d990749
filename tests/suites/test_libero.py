"""LIBERO's suites: tasks, sentences and limits, known without the simulator."""

from __future__ import annotations

import pytest

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.errors import InvalidFile, OutOfRange, UnknownName
from vlm4vla.simulators import plugin
from vlm4vla.suites.libero import episodes
from vlm4vla.suites.suite import load


@pytest.mark.parametrize(
    ("name", "tasks", "steps"),
    [
        ("libero_spatial", 10, 220),
        ("libero_object", 10, 280),
        ("libero_goal", 10, 300),
        ("libero_10", 10, 520),
        ("libero_90", 90, 400),
    ],
)
def test_the_official_suites_have_their_tasks_states_and_limits(name, tasks, steps):
    suite = load(name)
    assert len(suite.tasks) == tasks and len(suite.episodes) == 50 * tasks
    assert {episode.max_steps for episode in suite.episodes} == {steps}
    assert {tuple(e.setup.values()) for e in suite.episodes} == {(name, name)}


def test_a_task_may_be_called_by_its_number():
    suite = load("libero_10").narrowed(tasks=["2"], inits=[7])
    assert str(suite.episodes[0].key).endswith("turn_on_the_stove_and_put_the_moka_pot_on_it/7")
    assert suite.episodes[0].instruction == "turn on the stove and put the moka pot on it"
    with pytest.raises(UnknownName):
        load("libero_10").narrowed(tasks=["10"])


def test_the_legacy_loop_gives_the_policy_five_steps_more():
    legacy = load("libero_10", "vlm4vla_legacy")
    assert {episode.max_steps for episode in legacy.episodes} == {525}
    assert plugin("libero").describe(legacy.options).max_steps == 525


@pytest.mark.parametrize("kind", ["lan", "object", "swap", "task"])
@pytest.mark.parametrize("base", ["spatial", "object", "goal", "10"])
def test_a_control_is_the_official_task_on_the_same_episodes(base, kind):
    name = f"libero_{base}_{kind}"
    perturbed, control = load(name), load(name, "control")
    official = load(f"libero_{base}")
    assert [e.key for e in perturbed.episodes] == [e.key for e in control.episodes]
    assert [e.instruction for e in control.episodes] == [e.instruction for e in official.episodes]
    own = f"libero_{base}_lan" if kind == "swap" else name
    assert control.episodes[0].setup == {"scene": f"libero_{base}", "states": own}
    assert perturbed.episodes[0].setup == {"scene": name, "states": name}
    said = {e.instruction for e in perturbed.episodes} & {e.instruction for e in official.episodes}
    assert bool(said) == (kind in ("object", "swap"))


def test_a_run_may_be_set_beside_its_control():
    named = " ".join(load("libero_10_lan", "control").contrast)
    facts = {"protocol": "default", "control": "False", "mujoco": "3.3.7"}
    control = {**facts, "protocol": "control", "control": "True", "contrast": named}
    assert not conflicts([facts, control])
    assert set(conflicts([facts, {**control, "mujoco": "3.2.7"}])) == {"mujoco"}
    assert set(conflicts([facts, {**facts, "protocol": "community"}])) == {"protocol"}


def test_a_file_without_states_is_refused_by_name():
    ladder = load("libero_object_temp_y0.5")
    assert len(ladder.tasks) == 9
    with pytest.raises(UnknownName) as asked:
        ladder.narrowed(tasks=["pick_up_the_cream_cheese_and_place_it_in_the_basket"])
    assert "cream cheese has no states" in asked.value.fix and "--task 8" in asked.value.fix
    with pytest.raises(InvalidFile, match=r"cream_cheese.*holds no initial state") as caught:
        episodes("mine", {"suite": "libero_object", "perturbation": "temp_y0.5"}, {})
    assert "leave_out: pick_up_the_cream_cheese" in caught.value.fix


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"suite": "libero_11"}, UnknownName),
        ({"suite": "libero_90", "perturbation": "lan"}, UnknownName),
        ({"suite": "libero_10", "perturbation": "temp_x0.1"}, UnknownName),
        ({"suite": "libero_object", "perturbation": "temp_x0.6"}, UnknownName),
        ({"suite": "libero_10", "count": 51}, OutOfRange),
    ],
)
def test_what_is_not_there_is_refused(arguments, kind):
    with pytest.raises(kind):
        episodes("mine", arguments, {})
