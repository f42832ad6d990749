"""On the real emoji simulator results depend on no slot, batch or order, for one that looks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.kills.driver import whole
from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.simulator import Observation
from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec, SimulatorSpec
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.simulators.grinningface.expert import Expert
from vlm4vla.store import Store

pytestmark = [pytest.mark.grinningface, pytest.mark.usefixtures("ray_session")]

HERE = "tests.runs.test_equality_emoji"


class Onlooker(Expert):
    """Goes the expert's way, pushed aside a little by every picture it has seen: one other pixel
    anywhere, or a memory mixed up between episodes, and the actions are others."""

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        request = ObservationRequest((CameraRequest("view", 64, 64),), privileged=True)
        return PolicySpec(simulator.action, request, execution="chunk", privileged=True)

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        # Requests must meet in batches, though the hosts' first pictures take seconds: whoever
        # begins an episode makes all others wait.
        time.sleep(1.5 if any(observation.step == 0 for observation in observations) else 0.03)
        chunks = super().act(observations, sessions)
        return [
            ActionChunk(_pushed(chunk.actions, observation.image("view"), session))
            for chunk, observation, session in zip(chunks, observations, sessions, strict=True)
        ]


def _pushed(actions, picture, session):
    """Four actions, the expert's with 2 % of what the picture and the generator say."""
    weights = np.sin(np.arange(picture.size)).reshape(picture.shape)
    push = np.tanh((weights * picture).sum() / 1000) + session.rng.normal()
    repeated = np.repeat(actions, 4, axis=0)
    repeated[:, :3] /= 4
    repeated[:, 0] += 0.02 * push
    return repeated


def run(folder, slots, max_batch, reverse=False):
    plan = resolve(
        RunRequest(
            f"{HERE}:Onlooker", "grinningface_val", episodes=3, options={"robot": "panda"},
            slots=slots, max_batch=max_batch,
        )
    )  # fmt: skip
    if reverse:
        plan = replace(plan, suite=replace(plan.suite, episodes=plan.suite.episodes[::-1]))
    with Store.open(folder / "bench.db", create=True) as store:
        summary = execute(plan, store, lambda event: None)
    assert summary.complete
    return whole(folder / "bench.db"), summary.statistics


@pytest.fixture(scope="module")
def reference(tmp_path_factory, ray_session):
    rows, statistics = run(tmp_path_factory.mktemp("one"), slots=1, max_batch=1)
    assert len(rows) == 3 and statistics.largest == 1
    return rows


def test_three_slots_batches_and_another_order_give_the_same_rows(reference, tmp_path):
    rows, statistics = run(tmp_path, slots=3, max_batch=4, reverse=True)
    assert rows == reference
    assert 1 < statistics.largest <= 3


def test_the_rows_were_worth_comparing(reference):
    actions = [row[-1] for row in reference.values()]
    assert len(set(actions)) == 3
    assert all(row[7] == row[8] > 5 for row in reference.values()), "a picture a query"
