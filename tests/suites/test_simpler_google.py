"""SimplerEnv's Google Robot episodes: as many as upstream runs, where upstream puts things."""

from __future__ import annotations

from collections import Counter

import pytest

from vlm4vla.core.errors import UnknownName
from vlm4vla.suites.files import facts_of
from vlm4vla.suites.simpler_google import distractor_places, episodes
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
