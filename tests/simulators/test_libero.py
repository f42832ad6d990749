"""LIBERO in its own Python: states, pictures and versions there, and whole runs from here."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.bench import bench
from vlm4vla.core.environment import load_environment
from vlm4vla.core.result import Outcome
from vlm4vla.core.source import copied_source, own_hash
from vlm4vla.environments import interpreter
from vlm4vla.store import Store
from vlm4vla.suites.suite import load
from vlm4vla.testing import check_simulator

pytestmark = [pytest.mark.libero, pytest.mark.usefixtures("libero_venv")]

GOLDEN = ("libero_10", 0, 0, 180)
"""Suite, task, init, and at which step upstream's actions succeed."""


BOOK = 5
"""The shortest task of libero_10."""


@pytest.fixture(scope="module")
def told(libero_venv):
    """What shows only beside MuJoCo: one process for all of it."""
    python = interpreter.python(load_environment("libero"))
    script = Path(__file__).with_name("libero_in_its_python.py")
    run = subprocess.run(
        [python, script, copied_source(own_hash())],
        capture_output=True, text=True, timeout=800, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_every_state_is_the_same_with_and_without_pictures_and_after_other_episodes(told):
    assert told["rendering changes nothing"] and told["order changes nothing"]
    assert told["fresh states are drawn from the seed"]
    assert told["another init draws another state"] and told["a drawn state is begun at again"]
    assert told["numbers of a drawn state"][0] > 51 and told["numbers of a drawn state"][1]
    assert "has no init 50" in told["a state that is not there"]


def test_the_communitys_order_places_fixtures_as_upstream_does(told):
    assert told["cabinets move"] and told["community's order is upstream's"]
    assert told["a list begins after the first reset"]


def test_states_pictures_and_proprioception_are_upstreams(told):
    assert told["states are upstream's"] and told["proprioception is robosuite's"]
    assert told["agentview is upstream's, upright"] and told["the wrist is upstream's, upright"]
    assert told["cropped"] == [224, 224, 3]


def test_the_legacy_loop_settles_between_the_first_actions(told):
    """One settling step before the first action, one after each of the next four."""
    first, *rest = told["steps of VLM4VLA's loop"]
    assert [clock - first for clock in rest] == [2, 4, 6, 8, 9, 10]


def test_a_newer_mujoco_is_refused_unless_it_is_named(told):
    assert told["too new"].startswith("WrongVersion: MuJoCo 3.3.7 is newer than 3.3.6")
    assert "--set mujoco=3.3.7" in told["too new"]
    assert told["accepted by name"] == "3.3.7"


def test_robosuite_writes_no_file_where_another_user_may_own_it(told):
    assert told["robosuite's log goes to"] == ["StreamHandler"]


@pytest.mark.golden
def test_upstreams_actions_succeed_at_their_last_step():
    suite, task, init, steps = GOLDEN
    actions = Path(os.environ["VLM4VLA_GOLDEN"]) / "libero" / f"{suite}_{task}_{init}.npy"
    done = bench(
        "replay", "--suite", suite, "--task", task, "--init", init,
        "--protocol", "community", "--actions", actions, "--json",
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    shown = json.loads(done.out)
    assert shown["success"] and shown["steps"] == steps


SHORT = """
from dataclasses import replace
from vlm4vla.suites import libero

def episodes(suite, arguments, options):
    return [replace(one, max_steps=5) for one in libero.episodes(suite, arguments, options)]
"""


def test_what_the_expert_shows_trains_a_policy_that_is_rolled_out(tmp_path, ray_session):
    """`bench demos`, `bench train`, `bench run`, as they are typed; from a state that is drawn."""

    def typed(*words):
        done = bench(*words, cwd=tmp_path, VLM4VLA_STORE=str(store))
        assert done.code == 0, done.out + done.err
        return done.out

    store = tmp_path / "bench.db"
    typed("demos", "--suite", "libero_10", "--task", BOOK, "--init", 0, "--frames", 4, "--size", 64,
          "--slots", 1, "--out", "d")  # fmt: skip
    with Store.open(next((tmp_path / "d").glob("**/*.db"))) as played:
        (run,) = played.runs()
        assert [row.outcome for row in played.episodes(run.id)] == [Outcome.SUCCESS]
    typed("train", "--backbone", "toy", "--data", "d", "--out", "ckpt", "--steps", 2, "--batch", 2,
          "--workers", 0)  # fmt: skip
    (tmp_path / "short.py").write_text(SHORT)
    (tmp_path / "short.yaml").write_text(
        "extends: libero\nname: short\nsummary: five steps\ngenerator: short:episodes\n"
        "episodes: {suite: libero_10, states: fresh, count: 2}\n"
    )
    typed("run", "--policy", "vla", "--checkpoint", "ckpt", "--suite", "short.yaml",
          "--task", BOOK, "--init", 1)  # fmt: skip
    with Store.open(store) as opened:
        (run,) = opened.runs()
        (row,) = opened.episodes(run.id)
        assert row.error is None and row.steps == 5 and row.queries == row.renders == 2
        drawn = opened.trace(run.id, row.key).drawn
    shown = json.loads(typed("show", run.id, "--episode", row.key.init, "--json"))
    assert shown["drawn"] == drawn.tolist() and drawn.size > 47
    replayed = json.loads(typed("replay", run.id, "--episode", row.key.init, "--json"))
    assert not replayed["differences"] and replayed["steps"] == 5


def test_the_contract_holds():
    suite = load("libero_object").narrowed(tasks=["5"], count=2)
    check_simulator("libero", replace(suite, options={"renderer": "osmesa"}), steps=3)


@pytest.mark.golden
def test_a_demonstration_file_of_liberos_is_replayed_from_its_own_state(tmp_path):
    """Ten settling steps and upstream's actions, as LIBERO's files hold them."""
    import h5py

    suite, task, init, steps = GOLDEN
    name = load(suite).tasks[task]
    packages = (
        interpreter.python(load_environment("libero")).parents[1] / "lib/python3.11/site-packages"
    )
    states = packages / "libero/libero/init_files" / suite / f"{name}.pruned_init.npz"
    actions = np.load(Path(os.environ["VLM4VLA_GOLDEN"]) / "libero" / f"{suite}_{task}_{init}.npy")
    settling = np.tile([0.0, 0, 0, 0, 0, 0, -1], (10, 1))
    with h5py.File(tmp_path / "a_demo.hdf5", "w") as file:
        file["data/demo_3/actions"] = np.concatenate([settling, actions])
        file["data/demo_3/states"] = np.load(states)["states"][init : init + 1]
    words = ("replay", "--suite", suite, "--task", task, "--actions", tmp_path / "a_demo.hdf5")
    shown = json.loads(bench(*words, "--init", 3, "--json").out)
    assert shown["success"] and shown["steps"] == 10 + steps
    assert "holds no demo_4" in bench(*words, "--init", 4).refused("Choose another --init")
