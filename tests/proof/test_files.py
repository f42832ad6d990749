"""Files that 0.2.0 wrote open and give the same numbers: checkpoints, demonstrations, stores."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("transformers")

from tests.proof import cases, entry
from tests.proof.archives import unpack_store
from tests.proof.golden import check, read, same_machine
from vlm4vla.store.published import vqa_scores

SHIPPED = 298
"""Scores in 0.2.0, which those that came since stand behind."""
FILES, VERBS, SUITES = read("files"), read("verbs"), read("suites")
DIGESTS = {name: numbers["facts"].pop("digest") for name, numbers in FILES["checkpoints"].items()}

HIDDEN, SHOWN = VERBS["runs"]["toy broken"], VERBS["runs"]["toy expert"]
"""Two runs of one kind. The newer, of two episodes, hid the one of six until the fullest was shown;
the numbers of both stand in `leaderboard all by task`."""


@pytest.mark.parametrize("name", [*cases.WHOLE.values(), cases.PARTLY])
def test_a_checkpoint_opens_and_acts_the_same(name, checkpoints):
    found = cases.checkpoint_numbers(name, checkpoints)
    expected = FILES["checkpoints"][name]
    found["facts"].pop("digest")  # judged below
    check(expected, found, exact=same_machine(FILES["machine"]))


@pytest.mark.parametrize("name", list(DIGESTS))
def test_a_checkpoint_keeps_its_identity(name, checkpoints):
    """It is part of a run's: the same command continues the run that 0.2.0 began."""
    assert entry.checkpoint_facts(checkpoints / name)["digest"] == DIGESTS[name]


def test_the_checkpoints_look_and_read(checkpoints):
    """Another picture or another sentence is another action."""
    model = entry.load(checkpoints / cases.WHOLE["toy"])
    images, texts = cases.frames(2, 64), cases.INSTRUCTIONS[:2]
    both = entry.predict(model, images, texts)
    assert abs(both - entry.predict(model, images[::-1].copy(), texts)).max() > 1e-3
    assert abs(both - entry.predict(model, images, texts[::-1])).max() > 1e-3


@pytest.mark.parametrize("name", cases.DEMONSTRATIONS)
def test_recorded_demonstrations_give_the_same_samples(name, demonstrations):
    found = cases.demonstration_numbers(demonstrations / name)
    check(FILES["demonstrations"][name], found, exact=same_machine(FILES["machine"]))


@pytest.mark.parametrize("name", cases.FOREIGN)
def test_other_layouts_give_the_same_samples(name, tmp_path):
    found = cases.demonstration_numbers(*entry.foreign_layouts(tmp_path)[name])
    check(FILES["foreign"][name], found, exact=same_machine(FILES["machine"]))


@pytest.mark.parametrize("name", list(VERBS["store"]))
def test_a_stored_number_is_read_as_before(name, store, monkeypatch):
    """New fields may stand beside the old ones; these keep name and value."""
    if name in ("vqa list", "correlate", "screen"):  # of the scores that shipped then
        shipped = vqa_scores()[:SHIPPED]
        monkeypatch.setattr("vlm4vla.reports.correlation.vqa.vqa_scores", lambda: shipped)
    found = cases.told(cases.store_verbs(VERBS["runs"])[name], store)
    expected = VERBS["store"][name]
    if name.startswith("campaign"):  # suites that came since can be run
        came = entry.suite_names()
        expected = [
            {**cell, "status": "not run"}
            if cell["status"] == "no suite" and cell["suite"] in came
            else cell
            for cell in expected
        ]
        # pi0*'s three runs of the same chains are flagged since.
        found = [{**cell, "flags": [f for f in cell["flags"] if f != "repeats"]}
                 if "flags" in cell else cell for cell in found]  # fmt: skip
    if name == "correlate":  # below nine points Spearman's interval is left out since
        few = {"spearman_low", "spearman_high"}
        assert all(one["n"] < 9 and one["spearman_low"] is None for one in found)
        expected = [{key: one[key] for key in one if key not in few} for one in expected]
    if name in ("leaderboard", "leaderboard imported"):
        expected = _without(expected, HIDDEN)
        found = _without(found, SHOWN)
    check(expected, found, exact=same_machine(VERBS["machine"]), more=True)


def _without(rows: list[dict[str, object]], run: str) -> list[dict[str, object]]:
    kept = [row for row in rows if run not in (row.get("run"), row.get("source"))]
    assert 0 < len(kept) < len(rows)
    return kept


@pytest.mark.parametrize("name", list(VERBS["plans"]))
def test_a_plan_is_what_it_was(name):
    found = cases.told(cases.PLANS[name], None)
    check(VERBS["plans"][name], found, exact=same_machine(VERBS["machine"]), more=True)


def test_every_row_of_the_store_is_there(store):
    assert entry.run_names(store) == VERBS["runs"]
    found = {name: entry.rows(store, run) for name, run in VERBS["runs"].items()}
    check(VERBS["rows"], found, exact=True)


def test_the_export_holds_the_same(store, tmp_path):
    check(VERBS["export"], cases.exported(store, tmp_path / "all.parquet"), exact=True, more=True)


MARKS = {
    "toy": (),
    "grinningface_val": (pytest.mark.grinningface,),
    "calvin_debug": (pytest.mark.calvin, pytest.mark.assets),
}


@pytest.mark.parametrize(
    ("suite", "policy", "episode"),
    [pytest.param(*stored, id=" ".join(stored), marks=MARKS[stored[0]]) for stored in cases.STORED],
)
def test_a_stored_episode_replays(suite, policy, episode, store):
    name = f"{suite} {policy}"
    found = cases.told(("replay", VERBS["runs"][name], "--episode", episode), store)
    if found["changed"]:  # e.g. another pybullet: told, and not held against the numbers
        same_machine(VERBS["machine"] | {"changed": []}, {"changed": found.pop("changed")})
        VERBS["replays"][name].pop("changed")
    exact = same_machine(VERBS["machine"])
    check(VERBS["replays"][name], found, exact=exact, more=True)


def test_an_old_store_takes_new_rows(tmp_path, ray_session):
    """What was there stays as it was."""
    path = unpack_store(tmp_path)
    runs = VERBS["runs"]
    run = entry.roll_out(path, "expert", "toy", episodes=1, seed=77, slots=1)
    assert run not in runs.values()
    check(
        {n: VERBS["rows"][n] for n in runs},
        {n: entry.rows(path, r) for n, r in runs.items()},
        exact=True,
    )
    assert len(entry.rows(path, run)) == 2


def _needs(name: str, protocol: str) -> tuple[pytest.MarkDecorator, ...]:
    """CALVIN's sentences and PaliGemma's labels are fetched."""
    fetched = name.startswith("calvin") or protocol == "paper"
    return (pytest.mark.assets,) if fetched else ()


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        pytest.param(name, protocol, id=f"{name} {protocol}", marks=_needs(name, protocol))
        for name, protocols in SUITES["suites"].items()
        for protocol in protocols
    ],
)
def test_a_shipped_suite_has_the_same_episodes(name, protocol):
    found = cases.suite_hashes(name, protocol)
    check(SUITES["suites"][name][protocol], found, exact=True, more=True)


@pytest.mark.parametrize("name", list(SUITES["campaigns"]))
def test_a_campaign_asks_for_the_same(name):
    check(SUITES["campaigns"][name], entry.campaign_facts(name), exact=True, more=True)


def test_no_suite_has_gone():
    assert set(SUITES["suites"]) <= set(entry.suite_names())
    assert set(SUITES["campaigns"]) <= set(entry.campaigns())


def test_a_copy_of_the_checkpoint_elsewhere_is_the_same(checkpoints, tmp_path):
    shutil.copytree(checkpoints / cases.WHOLE["toy"], tmp_path / "copy")
    here, there = tmp_path / "copy", checkpoints / cases.WHOLE["toy"]
    assert entry.checkpoint_facts(here) == entry.checkpoint_facts(there)
