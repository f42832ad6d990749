"""CALVIN's scripted policy on the real play table, and the geometry it reasons with."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

pytest.importorskip("pybullet")

from vlm4vla.core import convert
from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import SpecMismatch
from vlm4vla.core.policy import Session
from vlm4vla.core.simulator import Progress
from vlm4vla.simulators.calvin import expert
from vlm4vla.simulators.calvin.expert import CalvinExpert
from vlm4vla.simulators.calvin.expert.reach import (
    ACROSS,
    Rectangle,
    SeenBlock,
    SeenTable,
    best_grip,
    nearest_yaw,
    push_distance,
    room,
)
from vlm4vla.simulators.calvin.oracle import TASKS
from vlm4vla.simulators.calvin.plugin import Calvin

CHAINS = (0, 1, 7, 10, 15, 23)
"""Inits of chains that together ask for every kind of subtask."""


@dataclass
class Rollout:
    actions: list[np.ndarray] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    queries: int = 0

    @property
    def solved(self) -> float | None:
        return self.progress.measures["solved"]


def roll_out(episode: Episode, horizon: int | None = None) -> Rollout:
    """What the engine does, without it: `horizon` actions of each chunk, or all."""
    simulator = Calvin().create({})
    policy, session = CalvinExpert(Calvin().describe({})), Session(episode.key)
    request = CalvinExpert.describe(Calvin().describe({})).request
    done = Rollout()
    try:
        simulator.reset(episode)
        while not done.progress.done:
            (chunk,) = policy.act([simulator.observe(request)], [session])
            done.queries += 1
            for action in chunk.actions[:horizon]:
                done.progress = simulator.advance(action)
                done.actions.append(action)
                if done.progress.done or done.progress.instruction_changed:
                    break
            if chunk.terminate_after is not None:
                break
            if done.progress.instruction_changed:
                policy.reset([session])
    finally:
        simulator.close()
    return done


@pytest.fixture(scope="module")
def episodes() -> list[Episode]:
    from vlm4vla.suites.suite import load

    return list(load("calvin_abcd").episodes)


@pytest.mark.assets
@pytest.mark.calvin
@pytest.mark.parametrize("init", CHAINS)
def test_a_chain_is_solved_to_its_end(episodes, init):
    done = roll_out(episodes[init])
    assert done.solved == 5
    assert done.progress.success
    assert np.abs(np.array(done.actions)).max() <= 1.0


@pytest.mark.assets
def test_the_chains_above_ask_for_every_kind_of_subtask(episodes):
    asked = {task for init in CHAINS for task in episodes[init].setup["subtasks"]}
    kinds = {"_".join(w for w in t.split("_") if w not in ("red", "blue", "pink")) for t in asked}
    every = {"_".join(w for w in t.split("_") if w not in ("red", "blue", "pink")) for t in TASKS}
    assert every - kinds == set()
    assert set(expert.SKILLS) == set(TASKS)


@pytest.mark.assets
@pytest.mark.calvin
def test_how_much_of_a_chunk_is_executed_changes_nothing(episodes):
    short = replace(episodes[0], setup={**episodes[0].setup, "subtasks": ["open_drawer"],
                                        "instructions": ["open it"]})  # fmt: skip
    whole, ten, one = (roll_out(short, horizon) for horizon in (None, 10, 1))
    # Chain 0 begins with an open drawer, so the script runs to its end without success.
    assert whole.queries < ten.queries < one.queries
    assert np.array_equal(whole.actions, ten.actions)
    assert np.array_equal(whole.actions, one.actions)


@pytest.mark.assets
@pytest.mark.calvin
def test_a_subtask_without_a_script_ends_the_chain_at_once(episodes, monkeypatch):
    first = episodes[0].setup["subtasks"][0]
    monkeypatch.setattr(expert, "SKILLS", {k: v for k, v in expert.SKILLS.items() if k != first})
    done = roll_out(episodes[0])
    assert len(done.actions) == 1
    assert done.solved == 0
    assert done.progress.measures[first] == 0.0


def test_it_fits_relative_control_alone():
    spec = Calvin().describe({})
    described = CalvinExpert.describe(spec)
    assert described.privileged
    assert not described.request.cameras
    convert.check(described, spec)
    with pytest.raises(SpecMismatch, match="control=absolute"):
        CalvinExpert.describe(Calvin().describe({"control": "absolute"}))


FAR = (9.0, 9.0, 0.46)


def state(**blocks) -> SeenTable:
    """Blocks at (x, y, z, yaw); the others are far away."""
    placed = {}
    for colour in ("red", "blue", "pink"):
        x, y, z, yaw = (*blocks.get(colour, FAR), 0.0)[:4]
        cos, sin = np.cos(yaw), np.sin(yaw)
        axes = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
        placed[colour] = SeenBlock(colour, np.array([x, y, z]), axes)
    zeros = np.zeros(6)
    return SeenTable(zeros[:3], 0.08, 1.0, zeros, 0.0, 0.0, 0.0, placed)


def test_gaps_between_rectangles():
    square = Rectangle(np.zeros(2), np.eye(2), (1.0, 1.0))
    beside = Rectangle(np.array([3.0, 0.0]), np.eye(2), (0.5, 1.0))
    assert square.gap(beside) == beside.gap(square) == pytest.approx(1.5)
    turned = Rectangle(np.array([3.0, 0.0]), np.array([[1, 1], [-1, 1]]) / np.sqrt(2), (1.0, 1.0))
    assert square.gap(turned) == pytest.approx(3 - 1 - np.sqrt(2))
    assert square.gap(Rectangle(np.array([0.5, 0.5]), np.eye(2), (1.0, 1.0))) < 0


def test_a_grip_closes_on_the_narrow_side_and_avoids_the_neighbour():
    alone = best_grip(state(pink=(0.1, -0.1, 0.46, ACROSS)), state(pink=(0.1, -0.1, 0.46, ACROSS))
                      .blocks["pink"])  # fmt: skip
    assert alone.yaw == pytest.approx(ACROSS)
    assert alone.place == pytest.approx([0.1, -0.1])
    # Pink's long side lies along y; red stands 0.08 to the right, where the right finger would go.
    close = state(pink=(0.1, -0.1, 0.46, ACROSS), red=(0.18, -0.1, 0.46, ACROSS))
    grip = best_grip(close, close.blocks["pink"])
    assert grip.place[0] < 0.095
    # With one on either side, blue is taken along y.
    between = state(blue=(0.1, -0.1, 0.46), red=(0.16, -0.1, 0.46), pink=(0.03, -0.1, 0.46))
    grip = best_grip(between, between.blocks["blue"])
    assert abs(np.cos(grip.yaw)) == pytest.approx(1.0)


def test_fingers_find_room_behind_a_block_or_say_that_there_is_none():
    free = state(blue=(0.1, -0.1, 0.46))
    assert push_distance(free, free.blocks["blue"], 1.0) == 0.09
    tight = state(blue=(0.1, -0.1, 0.46), red=(0.0, -0.1, 0.46))
    assert push_distance(tight, tight.blocks["blue"], 1.0) < 0.06
    assert push_distance(tight, tight.blocks["blue"], -1.0) == 0.09
    touching = state(blue=(0.1, -0.1, 0.46), red=(0.05, -0.1, 0.46))
    assert push_distance(touching, touching.blocks["blue"], 1.0) is None


def test_room_is_what_would_be_left():
    there = state(red=(0.0, 0.0, 0.46), blue=(0.2, 0.0, 0.46))
    left = room(there, there.blocks["blue"], np.array([0.1, 0.0]))
    assert left == pytest.approx(0.1 - 0.02 - 0.028)


def test_a_yaw_is_turned_by_whole_periods():
    for wanted, turns in itertools.product((0.3, 2.0, -1.1), (-2, 0, 3)):
        found = nearest_yaw(wanted + turns * np.pi, np.pi)
        assert abs(found - ACROSS) <= np.pi / 2 + 1e-9
        assert np.isclose((found - wanted) / np.pi, round((found - wanted) / np.pi))
