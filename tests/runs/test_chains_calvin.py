"""Real chains through the whole harness: what the policy hears, and that nothing else matters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pybullet")

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.result import Outcome
from vlm4vla.core.simulator import Observation
from vlm4vla.rollout.recording import INSTRUCTIONS
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.replay import Pictures, replay_stored
from vlm4vla.runs.request import RunRequest
from vlm4vla.simulators.calvin.expert import CalvinExpert, Script
from vlm4vla.simulators.calvin.oracle import TASKS
from vlm4vla.store import EpisodeRow, Store
from vlm4vla.suites.calvin import OFFICIAL, load_sentences

pytestmark = [pytest.mark.calvin, pytest.mark.assets, pytest.mark.usefixtures("ray_session")]


class Attentive(CalvinExpert):
    """The expert, which fails (error `policy`) unless it hears each subtask's sentence afresh."""

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        sentences = load_sentences(OFFICIAL)
        for observation, session in zip(observations, sessions, strict=True):
            task = TASKS[int(observation.privileged["task"][0])]
            assert observation.instruction == sentences[task][0]
            if isinstance(session.memory, Script):
                assert session.memory.heard == task, "memory of the last subtask"
        chunks = super().act(observations, sessions)
        for observation, session in zip(observations, sessions, strict=True):
            session.memory.heard = TASKS[int(observation.privileged["task"][0])]
        return chunks


REQUEST = RunRequest(f"{__name__}:Attentive", "calvin_debug", inits=(0, 1))


def run(path, **changes) -> tuple[dict[EpisodeKey, EpisodeRow], dict[EpisodeKey, np.ndarray]]:
    plan = resolve(replace(REQUEST, **changes))
    with Store.open(path / "bench.db", create=True) as store:
        assert execute(plan, store, lambda event: None).complete
        rows = {row.key: row for row in store.episodes(plan.record.id)}
        return rows, {key: store.actions(plan.record.id, key) for key in rows}


@pytest.fixture(scope="module")
def reference(tmp_path_factory, ray_session):
    return run(tmp_path_factory.mktemp("one"), slots=1)


def test_every_instruction_reaches_a_policy_that_has_forgotten_the_last(reference):
    rows, _ = reference
    assert len(rows) == 2
    for row in rows.values():
        assert (row.outcome, row.error_text) == (Outcome.SUCCESS, "")
        assert row.measures["solved"] == 5.0
        assert sum(v == 1.0 for name, v in row.measures.items() if name in TASKS) == 5
        assert sum(v is None for name, v in row.measures.items() if name in TASKS) == 29
        assert row.renders == 0


def test_a_replay_shows_the_frames_of_the_steps_that_were_asked_at(tmp_path):
    """Chunks are dropped where an instruction ends: the steps are not evenly spaced."""
    run(tmp_path, inits=(0,), execute="chunk")
    with Store.open(tmp_path / "bench.db") as store:
        (record,) = store.runs()
        (row,) = store.episodes(record.id)
        asked = store.trace(record.id, row.key).query_steps
        replay = replay_stored(store, record.id, None, 0, Pictures(frames=tmp_path / "frames"))
    assert len(asked) == row.queries and len(set(np.diff(asked))) > 2
    assert not replay.differences
    shown = sorted(int(file.stem) for file in (tmp_path / "frames").glob("*/*.png"))
    assert shown == list(asked)
    lines = (tmp_path / "frames" / INSTRUCTIONS).read_text().splitlines()
    assert len(lines) == 5 and {json.loads(line)[0] for line in lines} <= set(asked)


def test_slots_and_how_much_of_a_chunk_is_executed_change_no_action(reference, tmp_path):
    rows, actions = reference
    others, others_actions = run(tmp_path, slots=2, execute="chunk")
    assert others.keys() == rows.keys()
    for key, row in rows.items():
        assert np.array_equal(actions[key], others_actions[key])
        assert others[key].measures == row.measures
        assert others[key].queries < row.queries  # ten actions a query, or as long as a motion is
