"""Episodes of ManipulationBenchmarkAudit: rows in its forms, numbers made up here."""

import itertools

import numpy as np
import pytest

from vlm4vla.core.errors import BadInput, InvalidFile
from vlm4vla.reports.board.beside import gather
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.stats.intervals import effective_trials, wilson
from vlm4vla.stats.paired import clustered, mcnemar
from vlm4vla.store import Store
from vlm4vla.store.importers import Asked, enter, read
from vlm4vla.store.importers.audit import outcomes, paired
from vlm4vla.store.importers.found import ResultFile

POSES, REPEATS = 24, 12
RATES = np.random.default_rng(4).beta(0.3, 0.7, POSES)
"""Of every pose: most are nearly always missed or nearly always made."""
GRID = "source_policy,policy,task,official_episode_id,repeat_id,seed,success,steps,error,timeout"


def grid(policy="cogact", seed=0):
    rng = np.random.default_rng(seed)
    lines = [GRID]
    for repeat, pose in itertools.product(range(REPEATS), range(POSES)):
        hit = int(rng.random() < RATES[pose])
        lines.append(f"{policy},{policy},stack,{pose},{repeat},{repeat * 1000 + pose},{hit},60,,0")
    return "\n".join(lines) + "\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def one_of(found, **sought):
    (result,) = (r for r in found.results
                 if all(getattr(r, name) == value for name, value in sought.items()))  # fmt: skip
    return result


def test_repeats_of_a_pose_count_for_what_they_are_worth(tmp_path):
    path = write(tmp_path / "per_episode_results_all.csv", grid())
    found = read(path)
    cube = one_of(found, task="cube")
    assert (found.format, cube.suite, cube.n) == ("audit", "simpler_bridge", POSES * REPEATS)
    values = [one.value for one in outcomes(ResultFile(path, Asked()))]
    worth = effective_trials(values, [i % POSES for i in range(len(values))])
    assert POSES <= worth < 100, "of 288 episodes"
    with Store.open(tmp_path / "b.db", create=True) as store:
        enter(store.library, path, found)
        asked = Selection(imported=True)
        shown = [row for row in gather(store, asked)[0] if row.task == "cube"]
    (row,) = shown
    low, high = wilson(cube.value * worth, worth)
    assert (row.low, row.high) == (pytest.approx(float(low)), pytest.approx(float(high)))
    assert row.interval == f"Wilson, 288 episodes worth {worth:.0f}"
    assert row.high - row.low > 1.5 * float(np.diff(wilson(cube.k, cube.n))[0])


def test_pairs_of_a_pose_are_not_independent(tmp_path):
    sides = [outcomes(ResultFile(write(tmp_path / f"{seed}.csv", grid(seed=seed)), Asked()))
             for seed in (1, 2)]  # fmt: skip
    values, poses = paired(*sides)
    assert values.shape == (288, 2) and len(set(poses)) == POSES
    found, p = clustered(values, poses, np.random.default_rng(0))
    assert found.low < found.value < found.high and 0 < p <= 1
    with pytest.raises(BadInput, match="comes twice"):
        paired([*sides[0], *sides[0]], sides[1])
    with pytest.raises(BadInput, match="no instance"):
        paired(sides[0], [])


def test_clusters_of_one_are_pairs():
    rng = np.random.default_rng(7)
    pairs = rng.integers(0, 2, (40, 2))
    found, p = clustered(pairs, np.arange(40), rng)
    first, second = np.sum(pairs[:, 0] > pairs[:, 1]), np.sum(pairs[:, 0] < pairs[:, 1])
    assert p == pytest.approx(float(mcnemar(first, second)), abs=0.01)
    difference = pairs[:, 0] - pairs[:, 1]
    error = difference.std(ddof=1) / np.sqrt(40)
    assert found.high - found.value == pytest.approx(2.0227 * error, rel=1e-4)
    same, p = clustered(np.ones((6, 2)), np.arange(6), rng)
    assert same.value == 0 and np.isnan(same.low) and p == 1
    with pytest.raises(ValueError, match="two clusters"):
        clustered(pairs, np.zeros(40), rng)


def test_the_clustered_interval_covers():
    rng, hits, draws = np.random.default_rng(1), 0, 400
    clusters = np.repeat(np.arange(24), 12)
    for _ in range(draws):
        rates = rng.beta(0.3, 0.7, (24, 2))
        values = rng.random((288, 2)) < rates[clusters]
        found, _ = clustered(values, clusters, rng)
        hits += found.low <= 0 <= found.high
    assert 0.92 <= hits / draws <= 0.98


def test_sequences_of_calvin(tmp_path):
    header = "policy,condition,manifest_id,global_index,tasks_completed,chain_success\n"
    lines = [f"X-VLA,{c},m,{i},{t},{int(t == 5)}\n" for c, chains in
             (("calibration", (5, 3, 0, 5)), ("resampled_pose", (4, 3, 0, 5)))
             for i, t in enumerate(chains)]  # fmt: skip
    path = write(tmp_path / "resampled_pose_per_sequence.csv", header + "".join(lines))
    found = read(path)
    official = one_of(found, suite="calvin_abcd", metric="length")
    assert (official.value, official.n, official.kind) == (3.25, 4, "mean")
    assert one_of(found, suite="calvin_abcd_resampled", metric="sr4").k == 2
    every = outcomes(ResultFile(path, Asked()))
    values, _ = paired(*([one for one in every if one.suite == suite]
                         for suite in ("calvin_abcd", "calvin_abcd_resampled")))  # fmt: skip
    assert values.tolist() == [[5, 4], [3, 3], [0, 0], [5, 5]]
    fresh = (
        "policy,fresh_seed,manifest_id,global_index,tasks_completed,chain_success\nA,1,m1,0,2,0\n"
    )
    (tmp_path / "fresh.csv").write_text(fresh)
    assert one_of(read(tmp_path / "fresh.csv"), metric="length").suite == "calvin_abcd_fresh"


@pytest.mark.parametrize(
    ("name", "text", "sought"),
    [
        ("trials.csv", "0,0\n1,3\n2,5\n",
         {"suite": "calvin_abcd", "metric": "sr3", "k": 2, "n": 3}),
        ("trials.csv", "9,put_it_there,0,1\n9,put_it_there,1,0\n",
         {"suite": "s", "task": "put_it_there", "k": 1, "n": 2}),
        ("trials.csv", "task,grid_episode_id,success,steps,reward\nstack,0,true,9,1.0\n",
         {"suite": "simpler_bridge", "task": "cube", "k": 1, "n": 1}),
        ("episodes_combined.csv",
         "suite,task_name,instance_id,policy_name,success,num_env_steps,error_type\n"
         "libero_goal,open_it,libero_goal/open_it/0,v,1,9,\n"
         "libero_goal,open_it,libero_goal/open_it/1,v,0,9,crash\n",
         {"suite": "libero_goal", "task": "open_it", "k": 1, "n": 1, "errors": 1}),
        ("per_episode_results_all.csv",
         "policy,policy_label,condition,episode_id,success,steps,error,source_color\n"
         "x,X,random_pose,0,1,60,,green\n",
         {"suite": "simpler_bridge random_pose", "task": "cube", "k": 1}),
    ],
)  # fmt: skip
def test_the_other_forms(tmp_path, name, text, sought):
    found = read(write(tmp_path / name, text), Asked(policy="p", suite=sought["suite"]))
    assert found.format == "audit" and one_of(found, **sought)


def test_mistakes_are_named(tmp_path):
    bad = write(tmp_path / "a.csv", grid().replace(",60,,0\n", ",60\n", 1))
    with pytest.raises(InvalidFile, match="episode 1"):
        read(bad)
    with pytest.raises(InvalidFile, match="--policy"):
        read(write(tmp_path / "trials.csv", "0,0\n"))
