"""Three seeded kills on the real emoji simulator: no row lost, doubled or changed."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.kills.driver import driving, rows, survivors, wait_for_rows, whole

pytestmark = [pytest.mark.kills, pytest.mark.grinningface]

EPISODES = 8
COMMAND = ["--policy", "tests.kills.slow_expert:SlowExpert", "--suite", "grinningface_val"]
COMMAND += ["--set", "robot=panda", "--episodes", str(EPISODES), "--slots", "2"]
HERE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The rows of a run that nobody disturbs."""
    store = tmp_path_factory.mktemp("undisturbed") / "bench.db"
    with driving([*COMMAND, "--store", str(store)], HERE) as driver:
        code, output = driver.wait(180)
    assert code == 0, output
    found = whole(store)
    assert len(found) == EPISODES
    return found


@pytest.mark.parametrize(("seed", "victim"), [(0, "driver"), (1, "host"), (2, "policy")])
def test_rows_survive_a_kill_at_a_random_moment(undisturbed, tmp_path, seed, victim):
    rng, store = random.Random(seed), tmp_path / "bench.db"
    command = [*COMMAND, "--store", str(store)]
    with driving(command, HERE) as driver:
        wait_for_rows(store, rng.randint(1, 4), driver, 120)
        time.sleep(rng.uniform(0.0, 0.5))
        tree = driver.descendants()
        assert driver.process.poll() is None, "it was over before it could be killed"
        assert driver.kill(victim, rng)
        if victim == "driver":
            driver.process.wait()
            assert survivors(tree, 10) == []
            assert 1 <= len(rows(store)) < EPISODES
        else:
            code, output = driver.wait(180)
            assert code == 0 and "will be tried again" in output, output
    before = {row.key: row.ended for row in rows(store)}
    with driving(command, HERE) as driver:
        code, output = driver.wait(180)
    assert code == 0 and f"{len(before)} already stored" in output, output
    assert before.items() <= {row.key: row.ended for row in rows(store)}.items()
    assert whole(store) == undisturbed
