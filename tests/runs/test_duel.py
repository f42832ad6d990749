"""Two policies side by side until a rule has seen enough, on the toy's real engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlm4vla.core.errors import BadInput
from vlm4vla.core.result import Outcome
from vlm4vla.reports.scores import counted, rows_of
from vlm4vla.rollout.events import Finished
from vlm4vla.runs.duel import Duel
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.stats.rules import Betting
from vlm4vla.store import RunStatus, Store

pytestmark = pytest.mark.usefixtures("ray_session")

EXPERT = RunRequest("expert", "toy", slots=2)
RANDOM = RunRequest("random", "toy", slots=2)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "bench.db", create=True) as opened:
        yield opened


class After:
    """A rule that decides after so many pairs, and remembers how it was asked."""

    def __init__(self, pairs):
        self._enough, self.asked = pairs, []

    def decided(self, pairs):
        self.asked.append(len(pairs))
        return len(pairs) >= self._enough

    def facts(self):
        return {"rule": "test"}


class Watcher:
    def __init__(self):
        self.looks, self.finished = [], []

    def __call__(self, look, event):
        self.looks.append((len(look.pairs), look.decided))
        if isinstance(event, Finished):
            self.finished.append(event.result.key)


def contest(store, rule, first=EXPERT, second=RANDOM, watch=None):
    plans = resolve(first), resolve(second)
    metric = plans[0].suite.metrics[0]
    score = lambda row: counted(metric, row)  # noqa: E731
    return Duel(plans, store, rule, metric.name, score, watch or Watcher()).run()


def lots(store, run):
    """Places of the stored episodes in the order of the lots."""
    record = store.run(run)
    order = sorted(record.plan, key=lambda key: key.lot)
    return sorted(order.index(row.key) for row in store.episodes(run))


def test_it_stops_when_decided_and_stores_what_it_began(store):
    ended = contest(store, Betting())
    assert ended.decided and not ended.interrupted and not ended.errors
    assert len(ended.pairs) == 7 and set(ended.pairs) == {(1.0, 0.0)}
    for run, other in (ended.runs, ended.runs[::-1]):
        record = store.run(run)
        assert record.status is RunStatus.DECIDED
        assert record.decision == {
            "rule": "betting", "alpha": 0.05, "span": 1.0, "metric": "success", "pairs": 7,
            "against": other,
        }  # fmt: skip
        # The first so many of the order and no others: nothing that ended early slipped in.
        places = lots(store, run)
        assert places == list(range(len(places))) and 7 <= len(places) < len(record.plan)
        row = rows_of(record, store.episodes(run))[0]
        assert row.decided and not row.complete and "decided" in row.marks


def test_the_rule_is_asked_after_every_pair_in_order(store):
    rule, watcher = After(5), Watcher()
    ended = contest(store, rule, watch=watcher)
    assert rule.asked == [1, 2, 3, 4, 5] and len(ended.pairs) == 5
    assert watcher.looks[0] == (0, False) and watcher.looks[-1] == (5, True)
    assert len(watcher.finished) == sum(len(store.episodes(run)) for run in ended.runs)


def test_undecided_both_are_complete_and_one_bench_run_completes_a_decided_one(store):
    few = replace(EXPERT, episodes=2), replace(RANDOM, episodes=2)
    ended = contest(store, After(99), *few)
    assert not ended.decided and len(ended.pairs) == 2 * len(resolve(few[0]).suite.tasks)
    assert all(store.run(run).status is RunStatus.COMPLETE for run in ended.runs)
    stopped = contest(store, After(3))
    summary = execute(resolve(EXPERT), store, lambda event: None)
    assert summary.run == stopped.runs[0] and summary.complete
    record = store.run(summary.run)
    assert record.status is RunStatus.COMPLETE
    assert not rows_of(record, store.episodes(record.id))[0].decided


def test_stored_episodes_count_and_a_decided_comparison_starts_nothing(store):
    first = contest(store, After(4))
    again, watcher = After(4), Watcher()
    ended = contest(store, again, watch=watcher)
    assert ended.decided and ended.pairs == first.pairs and not watcher.finished
    longer = contest(store, After(6))
    assert len(longer.pairs) == 6 and longer.pairs[:4] == first.pairs


def test_errors_are_left_out_and_the_comparison_goes_on(store, tmp_path):
    options = {"fault": "raise", "fault_inits": "1"}
    plain = [replace(r, tasks=("near",), episodes=4, retries=0) for r in (EXPERT, RANDOM)]
    ended = contest(store, After(99), *(replace(r, options=options) for r in plain))
    assert ended.errors == 2 and len(ended.pairs) == 3
    for run in ended.runs:
        assert store.run(run).status is RunStatus.INCOMPLETE
        outcomes = {row.key.init: row.outcome for row in store.episodes(run)}
        assert outcomes[1] is Outcome.ERROR and len(outcomes) == 4


def test_what_cannot_be_paired_is_refused_before_anything_runs(store):
    with pytest.raises(BadInput, match="the same run"):
        contest(store, After(1), EXPERT, EXPERT)
    with pytest.raises(BadInput, match="other episodes"):
        contest(store, After(1), EXPERT, replace(RANDOM, episodes=2))
    one, other = resolve(EXPERT), resolve(RANDOM)
    other, one = (
        replace(p, record=replace(p.record, comparability={**p.record.comparability, "engine": e}))
        for p, e in ((other, "another"), (one, "this"))
    )
    with pytest.raises(BadInput, match=r"differ in engine \(another / this\)"):
        Duel((one, other), store, After(1), "success", lambda row: 1.0, Watcher()).run()
    assert store.runs() == []
