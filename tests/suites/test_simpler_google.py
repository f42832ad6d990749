"""SimplerEnv's Google Robot episodes: as many as upstream runs, where upstream puts things."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from vlm4vla.core.errors import OutOfRange, UnknownName
from vlm4vla.suites.files import facts_of
from vlm4vla.suites.simpler_google import distractor_places, episodes
from vlm4vla.suites.simpler_perturbed import SHIFT, TURN
from vlm4vla.suites.suite import load

TASKS = ("pick_coke_can", "move_near", "drawer", "place_apple_in_drawer")


@pytest.mark.parametrize(
    ("variant", "counts", "scored"),
    [
        ("matching", (300, 240, 216, 108), 864),
        ("aggregation", (825, 600, 378, 189), 1722),
        ("core", (525, 360, 270, 135), 1020),
    ],
)
def test_there_are_as_many_episodes_as_upstream_runs(variant, counts, scored):
    made = episodes("suite", {}, {"variant": variant})
    assert Counter(e.key.task for e in made) == dict(zip(TASKS, counts, strict=True))
    assert sum(bool(e.setup["scored"]) for e in made) == scored
    assert len({e.key for e in made}) == len(made)


def test_inits_that_are_equal_modulo_the_poses_begin_alike():
    """Intervals count poses, not repeats of them in other colours or lights."""
    made = load("simpler_google_vm").episodes
    starts = {}
    for one in made:
        setup = {**one.setup, "setting": "", "colour": ""}
        assert starts.setdefault((one.key.task, one.key.init % 100), setup) == setup
    assert len(starts) == 75 + 60 + 54 + 27
    assert facts_of("simpler_google_vm").poses == 100


def test_means_of_means_are_plain_means():
    """Upstream averages settings per orientation, then orientations; drawers likewise."""
    for variant in ("matching", "aggregation", "core"):
        made = [e for e in episodes("suite", {}, {"variant": variant}) if e.setup["scored"]]
        for task in TASKS:
            cells = Counter(
                (e.setup.get("part"), e.setup.get("drawer"), e.setup["setting"])
                for e in made
                if e.key.task == task
            )
            assert len(set(cells.values())) == 1, task


def test_distractors_fall_where_upstream_drops_them():
    """Its generator is seeded alike in every fresh environment: the golden trace of cell (4, 1)."""
    places = distractor_places((-0.12, 0.09), 4)
    assert len(places) == 4
    assert all(-0.5 <= x <= -0.1 and 0.05 <= y <= 0.35 for x, y in places)
    assert places == distractor_places((-0.12, 0.09), 4)
    assert places != distractor_places((-0.35, 0.09), 4)


def test_a_scene_is_played_as_its_setting_says():
    made = {
        (e.setup["setting"], e.setup["rule"]): e.setup
        for e in episodes("suite", {}, {"variant": "aggregation"})
    }
    assert made["camera_1", "pick"]["head_tilt"] == 0.9351361
    assert made["cabinet_2", "open"]["station"] == "mk_station3"
    assert made["background_1", "place"]["stage"] == "modern_bedroom_no_roof"
    assert len(made["no_distractor", "near"]["models"]) == 2
    assert made["lighting_darker", "pick"]["light"] == "slightly_darker"


def test_the_suites_are_upstreams_two_evaluations():
    assert len(load("simpler_google_vm").episodes) == 864
    assert len(load("simpler_google_va").episodes) == 1992
    assert len(load("simpler_google_va", overrides={"variant": "core"}).episodes) == 1290
    with pytest.raises(UnknownName, match="variant"):
        load("simpler_google_vm", overrides={"variant": "photo"})


def laid_out(suite, task):
    """Of each episode of a task: where its things fall (n, 2), and which way up (n, 4)."""
    made = [e.setup for e in load(suite).episodes if e.key.task == task]
    return [np.array(m.get("xy")) for m in made], [np.array(m.get("quats")) for m in made], made


@pytest.mark.parametrize("task", ["pick_coke_can", "move_near", "place_apple_in_drawer"])
def test_a_jitter_is_a_shift_and_a_turn_about_the_vertical(task):
    (xy, quats, _), (moved, turned, made) = (
        laid_out(suite, task) for suite in ("simpler_google_vm", "simpler_google_jitter")
    )
    off = np.concatenate(moved) - np.concatenate(xy)
    assert 0 < np.abs(off).max() <= SHIFT + 1e-6
    assert len(np.unique(off, axis=0)) == len(off), "each is drawn anew"
    before, after = np.concatenate(quats), np.concatenate(turned)
    angle = 2 * np.arccos(np.clip(np.abs((before * after).sum(1)), 0, 1))
    assert 0 < angle.max() <= TURN + 1e-4
    upright = 2 * (before[:, 1] * before[:, 3] - before[:, 0] * before[:, 2])
    still = 2 * (after[:, 1] * after[:, 3] - after[:, 0] * after[:, 2])
    np.testing.assert_allclose(upright, still, atol=1e-7)
    assert all("arm" not in setup for setup in made)


def test_altered_things_lie_within_the_grid_and_apart_and_the_arm_is_off():
    for task in ("pick_coke_can", "move_near", "place_apple_in_drawer"):
        grid, _, _ = laid_out("simpler_google_vm", task)
        places, _, made = laid_out("simpler_google_altered", task)
        lowest, highest = np.concatenate(grid).min(0), np.concatenate(grid).max(0)
        found = np.concatenate(places)
        assert np.all(found >= lowest - 1e-6) and np.all(found <= highest + 1e-6)
        pairs = [math.dist(a, b) for p in places for i, a in enumerate(p) for b in p[:i]]
        assert min(pairs, default=1) >= 0.15 - 1e-6
        assert np.std([setup["arm"] for setup in made]) == pytest.approx(0.02, rel=0.1)
    assert facts_of("simpler_google_altered").poses == 0


def test_before_a_cabinet_the_arm_alone_is_off_and_the_robot_stands_where_the_photo_was_taken():
    _, _, grid = laid_out("simpler_google_vm", "drawer")
    for suite in ("simpler_google_jitter", "simpler_google_altered"):
        _, _, made = laid_out(suite, "drawer")
        without = [{name: v for name, v in setup.items() if name != "arm"} for setup in made]
        assert without == grid and len({tuple(setup["arm"]) for setup in made}) == len(made)


def test_what_would_draw_nothing_is_refused():
    with pytest.raises(OutOfRange, match="no seed"):
        episodes("suite", {"seed": 3}, {"variant": "matching"})
    with pytest.raises(OutOfRange, match="matching"):
        episodes("suite", {"poses": "jitter"}, {"variant": "aggregation"})
