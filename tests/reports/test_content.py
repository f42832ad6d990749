"""What the page is made of: chains, differences, names, tasks, commands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.reports.conftest import FACTS, emoji_result, emoji_run, fill, quarantined
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import UnknownName
from vlm4vla.core.result import EpisodeResult, Metric, Outcome
from vlm4vla.reports.page.content import collect
from vlm4vla.reports.summary import environment, repeat
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.stats.multiplicity import holm
from vlm4vla.store import RunRecord

LENGTH = Metric(name="length", kind="mean", of="solved", headline=True)


def chain_run(store, policy, solved):
    keys = tuple(EpisodeKey("calvin_abcd", "chain", i) for i in range(len(solved)))
    run = store.begin(RunRecord(f"c-{policy}", policy, "calvin_abcd", "calvin", keys, (LENGTH,)))
    for key, count in zip(keys, solved, strict=True):
        if count is None:
            store.record(run.id, quarantined(key))
            continue
        stages = {f"solved_{k}": count >= k for k in range(1, 6)}
        measures = {"solved": float(count)}
        won = Outcome.SUCCESS if count == 5 else Outcome.FAILURE
        store.record(run.id, EpisodeResult(key, won, stages=stages, measures=measures))


def test_chains_are_counted_by_length(store):
    chain_run(store, "a", [5, 5, 0, 2, None])
    chain_run(store, "b", [0, 0, 0, 1, 0])
    (part,) = collect(store).suites
    assert [run.summary.chains for run in part.runs] == [
        (1, 0, 1, 0, 0, 2),
        (4, 1, 0, 0, 0, 0),
    ]
    assert part.runs[0].summary.successes == 2 and part.tasks is None


def test_other_suites_have_no_chains(emoji):
    assert all(run.summary.chains == () for run in collect(emoji).runs)


def test_every_run_is_set_against_the_first_with_holm_over_all(emoji):
    (part,) = collect(emoji).suites
    assert part.runs[0].label == "expert†"
    assert list(part.contrasts) == [run.label for run in part.runs[1:]] == list(part.adjusted)
    ps = [one.headline.p for one in part.contrasts.values()]
    assert list(part.adjusted.values()) == pytest.approx(list(holm(ps)))
    blind = part.contrasts["expert-blind†"].headline
    assert (blind.n, blind.discordant, blind.difference) == (24, 16, pytest.approx(-16 / 24))


def test_what_may_not_be_compared_is_said_not_shown(store):
    fill(store, emoji_run("a", code="00000000"), 24, 24)
    fill(store, emoji_run("b", code="00000001", comparability={**FACTS, "renderer": "x"}), 24, 8)
    (part,) = collect(store).suites
    assert "differs in renderer" in part.contrasts["b≠"] and not part.adjusted
    assert [column.name for column in part.differing.columns] == ["differs", "a", "b≠"]
    assert [[cell.text for cell in line] for line in part.differing.body] == [
        ["renderer", "lavapipe 25.0", "x"]
    ]
    assert part.shared == {name: FACTS[name] for name in ("simulator", "sapien")}


def test_runs_of_one_name_are_told_apart(store):
    for code, options in (("00000000", {"k": 1}), ("00000001", {"k": 2})):
        fill(store, emoji_run("a", code=code, policy_options=options), 24, 24)
    fill(store, emoji_run("b", code="00000002"), 24, 24)
    labels = sorted(run.label for run in collect(store).runs)
    assert labels == ["a 00000000", "a 00000001", "b"]


def test_tasks_are_set_against_runs(store):
    keys = tuple(EpisodeKey("s", task, i) for task in ("far", "near") for i in range(4))
    metric = Metric(name="success", kind="rate", of="success", headline=True)
    for policy, good in (("a", "far"), ("b", "near")):
        run = store.begin(RunRecord(policy, policy, "s", "toy", keys, (metric,)))
        for key in keys:
            store.record(run.id, emoji_result(key, key.task == good, key.task == good))
    (part,) = collect(store).suites
    assert [column.name for column in part.tasks.columns] == ["task", "a", "b"]
    table = {line[0].text: [cell.line[:5] for cell in line[1:]] for line in part.tasks.body}
    assert table == {"far": ["100.0", "0.0 ["], "near": ["0.0 [", "100.0"]}


def test_a_filter_without_runs_is_refused(emoji):
    with pytest.raises(UnknownName, match="grinningface_val"):
        collect(emoji, Selection(suites=("grinningface_vall",)))
    with pytest.raises(UnknownName):
        collect(emoji, vqa=["no such benchmark"])


def test_papers_rows_are_beside_only_where_papers_have_the_suite(emoji):
    (part,) = collect(emoji, Selection(published=True)).suites
    assert any("GrinningFace" in cell.text for line in part.beside.body for cell in line)
    assert collect(emoji).suites[0].beside is None


def test_a_command_is_repeated_as_typed_or_put_together():
    run = emoji_run("expert", seed=3, policy_options={"mood": "very bad"}, protocol="paper")
    assert repeat(run).startswith("bench run --policy expert --suite grinningface_val")
    more = {"command": "bench run --policy expert --suite grinningface_val --episodes 48"}
    assert "--init 0-23" in repeat(replace(run, continued=(more,)))  # neither made it alone
    assert repeat(replace(run, continued=(run.provenance,))) == repeat(run)
    keys = tuple(EpisodeKey("grinningface_val", "place", i) for i in (0, 1, 2, 5))
    script = {"command": "study.py", "suite_file": "mine.yaml"}
    assert repeat(replace(run, provenance=script, plan=keys)) == (
        "bench run --policy expert --suite mine.yaml --protocol paper --task place --init 0-2,5 "
        "--seed 3 --set robot=panda --policy-option 'mood=very bad' --execute chunk"
    )


@pytest.mark.parametrize(("brought", "said"), [(True, "--python '/opt/a b/python' "), (False, "")])
def test_a_repeated_command_brings_the_python_that_was_brought(brought, said):
    about = {"command": "/opt/a b/python", "brought": brought, "numpy": "1.26.4"}
    run = emoji_run("expert", provenance={"simulator_python": about})
    assert f"--init 0-23 {said}--set" in repeat(run)


def test_version_and_commit_stand_above_the_command():
    run = emoji_run("a", provenance={"harness": "0.1.0", "commit": "abc+"})
    assert environment(run) == "# vlm4vla 0.1.0 at commit abc with changes of its own"
    assert environment(emoji_run("a", provenance={})) == ""
