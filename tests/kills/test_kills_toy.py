"""Seeded kills (`--kills N`) of driver, host, slot and policy server: every row as it was."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest

from tests.kills.driver import VICTIMS, command_of, driving, rows, survivors, wait_for_rows, whole

pytestmark = pytest.mark.kills

SEEDS = 2
COMMAND = ["--policy", "expert", "--suite", "toy", "--set", "step_ms=12", "--slots", "2"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The rows of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with driving([*COMMAND, "--store", "bench.db"], folder) as driver:
        code, output = driver.wait(120)
    assert code == 0, output
    found = whole(folder / "bench.db")
    assert len(found) == 20
    return found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_rows_survive_kills_at_random_moments(undisturbed, tmp_path, seed, pytestconfig):
    kills = pytestconfig.getoption("--kills") // SEEDS
    rng = random.Random(seed)
    store = tmp_path / "bench.db"
    killed: Counter[str] = Counter()
    earlier: set[object] = set()
    while sum(killed.values()) < kills:
        if store.exists() and len(rows(store)) == 20:
            store.unlink()  # finished before all kills were dealt: do it again
            earlier.clear()
        with driving([*COMMAND, "--store", "bench.db"], tmp_path) as driver:
            wait_for_rows(store, 1 + len(earlier), driver)
            while driver.process.poll() is None and sum(killed.values()) < kills:
                time.sleep(rng.uniform(0.0, 0.6))
                victim = rng.choice(VICTIMS)
                tree = driver.descendants()
                if driver.process.poll() is None and driver.kill(victim, rng):
                    killed[victim] += 1
                if victim == "driver":
                    driver.process.wait()
                    assert survivors(tree, 10) == []
                    break
        now = {row.key for row in rows(store)}
        assert earlier <= now, "a stored episode was lost"
        earlier = now
    with driving([*COMMAND, "--store", "bench.db"], tmp_path) as driver:
        code, output = driver.wait(120)
    assert code == 0, output
    assert whole(store) == undisturbed
    assert sum(killed.values()) == kills and len(killed) >= 3


def test_ctrl_c_stores_what_is_finished_and_the_same_command_goes_on(undisturbed, tmp_path):
    store = tmp_path / "bench.db"
    with driving([*COMMAND, "--store", "bench.db"], tmp_path) as driver:
        wait_for_rows(store, 4, driver)
        tree = driver.descendants()
        driver.process.send_signal(signal.SIGINT)
        code, output = driver.wait(20)
        assert survivors(tree, 10) == []
    stored = rows(store)
    assert code == 130 and "The same command continues" in output
    assert 4 <= len(stored) < 20 and f"{len(stored)} of 20" in output
    with driving([*COMMAND, "--store", "bench.db"], tmp_path) as driver:
        code, output = driver.wait(120)
    assert code == 0 and f"{len(stored)} already stored" in output
    assert {r.key: r.ended for r in stored}.items() <= {r.key: r.ended for r in rows(store)}.items()
    assert whole(store) == undisturbed


def test_a_second_ctrl_c_kills_at_once(tmp_path):
    command = ["--policy", "tests.rollout.probes:Misbehaving", "--policy-option", "how=hang"]
    command += ["--suite", "toy", "--init", "1", "--slots", "1", "--store", str(tmp_path / "b.db")]
    from pathlib import Path

    with driving(command, Path.cwd()) as driver:
        deadline = time.monotonic() + 60
        while not any("rollout.host" in command_of(p) for p in driver.descendants()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(1)  # the policy hangs by now
        tree = driver.descendants()
        driver.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        driver.process.send_signal(signal.SIGINT)
        code, _ = driver.wait(60)  # a tenth of the time that the hanging policy has
        assert code == 130
        assert survivors(tree, 10) == []


def test_two_commands_cannot_write_one_run(tmp_path):
    command = [*COMMAND, "--set", "step_ms=40", "--store", "bench.db"]
    with driving(command, tmp_path) as first:
        wait_for_rows(tmp_path / "bench.db", 1, first)
        with driving(command, tmp_path) as second:
            code, output = second.wait(30)
        assert code == 2 and str(first.process.pid) in output
        assert first.wait(120)[0] == 0
