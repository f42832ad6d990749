"""What makes two commands the same run, and what does not."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.errors import BadInput, OutOfRange, RunConflict, SpecMismatch
from vlm4vla.runs.plan import choose_slots, resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store
from vlm4vla.suites.suite import load

PLAIN = RunRequest("expert", "toy")
PROBES = "tests.rollout.probes"


def run_id(**changes):
    return resolve(replace(PLAIN, **changes)).record.id


def test_the_same_request_is_the_same_run():
    assert run_id() == run_id()
    assert run_id().startswith("toy-expert-")


@pytest.mark.parametrize(
    "changes",
    [
        {"slots": 3},
        {"max_batch": 1},
        {"retries": 0},
        {"retry_errors": True},
        {"selected_from": 5},
        {"timeout_s": 9.0},
        {"tcp": True},
        {"video": "all"},
        {"new": True},
        {"protocol": "default"},
        {"execute": "chunk"},
        {"inits": tuple(range(10))},
        {"episodes": 10},
        {"episodes": 3},
        {"give_up_after": 0},
    ],
)
def test_what_changes_no_outcome_is_the_same_run(changes):
    assert run_id(**changes) == run_id()


DIFFERENT = [
    {},
    {"execute": "first"},
    {"execute": "chunk+votes2"},
    {"seed": 1},
    {"options": {"step_ms": 1}},
    {"tasks": ("near",)},
    {"tasks": ("far",)},
    {"inits": (0, 1)},
    {"policy": "random"},
    {"policy": f"{PROBES}:Misbehaving", "policy_options": {"how": "nan"}},
    {"policy": f"{PROBES}:Misbehaving", "policy_options": {"how": "raise"}},
    {"policy": f"{PROBES}:Wanderer"},
]


def test_every_other_request_is_another_run():
    ids = [run_id(**changes) for changes in DIFFERENT]
    assert len(set(ids)) == len(DIFFERENT)


def test_a_suite_file_of_the_same_name_with_other_content_is_another_run(tmp_path):
    text = "name: mine\nsummary: s\nsimulator: toy\nepisodes: {count: 2}\n"
    ids = set()
    for i, more in enumerate(("", "success: any\n", "options: {step_ms: 0}\n")):
        path = tmp_path / f"{i}.yaml"
        path.write_text(text + more)
        ids.add(run_id(suite=str(path)))
    assert len(ids) == 3


@pytest.mark.grinningface
def test_robots_labels_and_looking_make_other_runs():
    emoji = {"suite": "grinningface_val", "episodes": 1}
    ids = {
        run_id(options={"robot": "panda"}, **emoji),
        run_id(options={"robot": "panda", "wording": "paper"}, **emoji),
        run_id(options={"robot": "panda"}, policy="expert-blind", **emoji),
    }
    assert len(ids) == 3


def test_a_film_needs_the_renderer_but_states_no_fact_of_it():
    assert "renderer" not in resolve(replace(PLAIN, video="all")).record.comparability
    seeing = RunRequest(f"{PROBES}:SeeingExpert", "toy")
    assert resolve(seeing).record.comparability["renderer"] == "numpy"


def test_the_record_says_what_was_asked():
    options = {"how": "nan"}
    request = RunRequest(
        f"{PROBES}:Misbehaving", "toy", ("near",), (3,), seed=2, policy_options=options,
        execute="half", run_id="mine",
    )  # fmt: skip
    record = resolve(request).record
    assert (record.id, record.seed, record.execution) == ("mine", 2, "half")
    assert [str(key) for key in record.plan] == ["toy/near/3@2"]
    assert record.policy_options == options and record.checkpoint.startswith("code ")
    assert record.provenance["suite_file"] == "toy" and record.comparability["engine"] == "toy 1"


def test_specs_that_do_not_match_are_printed_side_by_side():
    from tests.rollout.probes import Wanderer
    from vlm4vla.core.convert import check
    from vlm4vla.core.specs import ActionSpec, PolicySpec
    from vlm4vla.simulators import plugin

    assert Wanderer.describe(plugin("toy").describe({}))
    with pytest.raises(SpecMismatch) as caught:
        check(PolicySpec(ActionSpec(frame="tcp", control_hz=5)), plugin("toy").describe({}))
    marked = [line.split()[1] for line in caught.value.message.splitlines() if line[:1] == "*"]
    assert {"frame", "control_hz"} <= set(marked) and "control" not in marked


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"slots": 0}, OutOfRange),
        ({"max_batch": 0}, OutOfRange),
        ({"retries": -1}, OutOfRange),
        ({"give_up_after": -1}, OutOfRange),
        ({"timeout_s": 0.0}, OutOfRange),
        ({"timeout_s": float("nan")}, OutOfRange),
        ({"run_id": "../x"}, BadInput),
        ({"run_id": ""}, BadInput),
        ({"run_id": "a", "new": True}, BadInput),
        ({"execute": "0"}, BadInput),
        ({"ray_address": "127.0.0.1:1"}, BadInput),
    ],
)
def test_numbers_that_make_no_sense_are_refused(changes, kind):
    with pytest.raises(kind):
        run_id(**changes)


def test_slots_fit_cores_memory_and_work():
    cores = len(os.sched_getaffinity(0))
    assert choose_slots(1, 1000) == cores and choose_slots(1, 1) == 1
    assert choose_slots(1e9, 1000) == 1


def test_a_suite_does_not_silently_override_how_a_policy_executes(tmp_path):
    suite = tmp_path / "mine.yaml"
    suite.write_text("extends: toy\nname: mine\nexecution: '2'\n")

    def execution(policy, **changes):
        return resolve(RunRequest(policy, str(suite), **changes)).record.execution

    assert execution("expert") == "2"
    for chosen in ("first", "2"):
        assert execution(f"{PROBES}:Impatient", execute=chosen) == chosen
    with pytest.raises(BadInput, match=r"by 'first'.* by '2'") as caught:
        execution(f"{PROBES}:Impatient")
    assert caught.value.fix == "Say which: --execute first or --execute 2"


def test_a_protocol_may_differ_on_purpose(tmp_path):
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "extends: toy\nname: mine\nprotocols:\n"
        "  twin: {summary: s, contrast: [protocol]}\n"
        "  other: {summary: s}\n"
    )
    plain, twin, other = (
        resolve(replace(PLAIN, suite=str(suite), protocol=name)).record.comparability
        for name in (None, "twin", "other")
    )
    assert "contrast" not in plain and twin["contrast"] == "protocol"
    assert conflicts([plain, twin]) == {}
    assert set(conflicts([plain, other])) == {"protocol"}
    assert set(conflicts([plain, {**twin, "engine": "toy 2"}])) == {"engine"}


def test_a_copy_of_a_suite_with_other_episodes_has_another_digest(tmp_path):
    """Its episodes have the same names, which is no reason to pair them."""
    text = "extends: grinningface_val\nname: mine\nepisodes: {{split: val, count: 4, seed: {}}}\n"
    suites = []
    for seed in (1, 2, 1):
        (path := tmp_path / f"{len(suites)}.yaml").write_text(text.format(seed))
        suites.append(load(str(path)))
    one, other, again = suites
    assert [e.key for e in one.episodes] == [e.key for e in other.episodes]
    assert one.episodes[0].digest != other.episodes[0].digest and one.digest != other.digest
    assert one.digest == again.digest and one.episodes[0].digest == again.episodes[0].digest


def test_the_digest_of_a_suite_is_that_of_all_its_episodes():
    facts = [resolve(replace(PLAIN, **some)).record.comparability for some in ({}, {"episodes": 2})]
    assert facts[0]["episodes"] == facts[1]["episodes"] == load("toy").digest
    other = {**facts[1], "episodes": "elsewhere"}
    assert set(conflicts([facts[0], other])) == {"episodes"}
    assert conflicts([facts[0], {**other, "contrast": "protocol"}]) == {}


def test_a_run_that_did_not_tell_its_digest_is_continued(tmp_path):
    """Before version 5 of the store."""
    record = resolve(replace(PLAIN, run_id="mine")).record
    told = {k: v for k, v in record.comparability.items() if k != "episodes"}
    with Store.open(tmp_path / "bench.db", create=True) as store:
        store.begin(replace(record, comparability=told))
        assert store.begin(record).comparability == told
        store.begin(replace(record, id="new"))
        with pytest.raises(RunConflict, match=r"comparability\.episodes"):
            elsewhere = {**told, "episodes": "elsewhere"}
            store.begin(replace(record, id="new", comparability=elsewhere))
