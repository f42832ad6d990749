"""`--policy replay`: a whole run played again reproduces every row."""

from __future__ import annotations

import pytest

from vlm4vla.core.errors import BadInput, StoreError, UnknownName
from vlm4vla.core.result import Outcome
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store

EMOJI = ("grinningface_val", {"robot": "panda"})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One for all: a run that is in it already is not run again."""
    with Store.open(tmp_path_factory.mktemp("store") / "bench.db", create=True) as opened:
        yield opened


def ignore(event):
    pass


def essence(store, run):
    return {
        row.key: (row.outcome, row.success_any, row.success_last, row.steps, row.stages,
                  row.measures, store.actions(run, row.key).tobytes())
        for row in store.episodes(run)
    }  # fmt: skip


@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize(
    ("policy", "execution", "suite", "options"),
    [
        pytest.param("expert", None, "toy", {}, id="toy"),
        pytest.param("random", None, "toy", {}, id="toy, chunks"),
        pytest.param("expert", "first", "toy", {}, id="toy, first"),
        pytest.param("expert", "7", *EMOJI, id="emoji, 7", marks=pytest.mark.grinningface),
    ],
)
def test_every_row_is_reproduced(store, suite, options, policy, execution):
    settings = {"suite": suite, "options": options, "episodes": 3, "seed": 4}
    old = execute(resolve(RunRequest(policy, **settings)), store, ignore).run
    options = {"run": old, "store": store.name}
    request = RunRequest("replay", policy_options=options, execute=execution, **settings)
    summary = execute(resolve(request), store, ignore)
    assert summary.complete and summary.run != old
    assert essence(store, summary.run) == essence(store, old)
    assert len(essence(store, old)) in (3, 6)
    if execution is None:
        assert all(row.queries == 1 for row in store.episodes(summary.run))
    outcomes = {row.outcome for row in store.episodes(old)}
    assert outcomes == {Outcome.SUCCESS if policy == "expert" else Outcome.FAILURE}


@pytest.mark.usefixtures("ray_session")
def test_an_episode_that_the_run_lacks_is_the_policys_error(store):
    few = resolve(RunRequest("expert", "toy", tasks=("near",), episodes=2))
    old = execute(few, store, ignore).run
    options = {"run": old, "store": store.name}
    more = resolve(RunRequest("replay", "toy", tasks=("near",), episodes=3, policy_options=options))
    summary = execute(more, store, ignore)
    errors = {row.key.init: row.error_text for row in store.episodes(summary.run) if row.error}
    assert list(errors) == [2] and "toy/near/2" in errors[2] and not summary.complete


def test_the_run_must_be_named_and_exist(store, tmp_path):
    with pytest.raises(BadInput) as caught:
        resolve(RunRequest("replay", "toy"))
    assert "--policy-option run=RUN" in caught.value.fix
    with pytest.raises(UnknownName):
        options = {"run": "none", "store": store.name}
        resolve(RunRequest("replay", "toy", policy_options=options))
    with pytest.raises(StoreError) as missing:
        options = {"run": "a", "store": str(tmp_path / "none.db")}
        resolve(RunRequest("replay", "toy", policy_options=options))
    assert "--policy-option store=FILE" in missing.value.fix
