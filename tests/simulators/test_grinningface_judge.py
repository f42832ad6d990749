"""The rules of the emoji task on constructed states: pure arithmetic, no simulator."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm4vla.simulators.grinningface.judge import REACH, Judge, State

CARDS = ((0.2, 0.9), (0.2, 0.7), (0.2, 0.5))


def _state(cube: tuple[float, float, float], cards=CARDS, **changes) -> State:
    """At rest, released, on something, unless told otherwise."""
    base = State(
        cube=np.array([*cube, 1, 0, 0, 0], float),
        cube_speed=0.0,
        cards=np.array([[x, y, 0.001, 1, 0, 0, 0] for x, y in cards], float),
        tcp=np.array([0, 0.7, 0.3, 1, 0, 0, 0], float),
        command=np.zeros(3),
        finger_distance=0.074,
        arm_speed=0.0,
        grasped=False,
        touched=False,
        supported=True,
    )
    return replace(base, **changes)


HELD = {"grasped": True, "touched": True, "supported": False}


def _judged(*states: State, target: int = 1) -> Judge:
    judge = Judge(target)
    for state in states:
        judge.watch(state)
    return judge


LIFTED = _state((0.1, 0.7, 0.08), **HELD)


@pytest.mark.parametrize("card", [0, 1, 2])
@pytest.mark.parametrize("target", [0, 1, 2])
def test_recognised_is_whether_the_nearest_card_is_the_target(card: int, target: int) -> None:
    judge = _judged(LIFTED, _state((*CARDS[card], 0.017)), target=target)
    assert judge.executed
    assert judge.success == (card == target)
    assert judge.measures["recognised"] == float(card == target)
    assert judge.measures["success_paper"] == float(card == target)


def test_overlapping_reaches_are_settled_by_the_nearest_card() -> None:
    cards = ((0.2, 0.88), (0.2, 0.72), (0.2, 0.5))  # as close as the jitter lets them come
    between = _state((0.2, 0.79, 0.017), cards)
    near_second = np.linalg.norm(between.cards[:, :3] - between.cube[:3], axis=1)
    assert (near_second[:2] <= REACH).all() and near_second[1] < near_second[0]
    assert _judged(LIFTED, between, target=1).success
    wrong = _judged(LIFTED, between, target=0)
    assert wrong.executed and not wrong.success
    assert wrong.measures["success_paper"] == 1.0  # the published rule takes it for a success


@pytest.mark.parametrize(
    "change",
    [
        {"touched": True},
        {"grasped": True, "touched": True},
        {"cube_speed": 0.1},
        {"arm_speed": 0.3},
        {"supported": False},
    ],
)
def test_not_executed_before_release_and_rest(change: dict) -> None:
    placed = _state((*CARDS[1], 0.017), **change)
    judge = _judged(LIFTED, placed)
    assert not judge.executed and not judge.success
    assert judge.measures["recognised"] is None
    assert _judged(LIFTED, placed, _state((*CARDS[1], 0.017))).success


def test_pushing_is_not_picking() -> None:
    low = _state((0.1, 0.7, 0.03), **HELD)  # grasped, but never up
    judge = _judged(low, _state((*CARDS[1], 0.017)))
    assert judge.stages["grasped"] and not judge.stages["lifted"]
    assert not judge.executed
    assert judge.measures["picked"] == 0.0 and judge.measures["success_paper"] == 1.0


def test_papers_rule_fires_between_opening_fingers() -> None:
    opening = _state((*CARDS[1], 0.03), touched=True, supported=False)
    judge = _judged(LIFTED, opening)
    assert judge.measures["success_paper"] == 1.0 and not judge.executed


def test_reach_is_measured_in_space_to_the_corner() -> None:
    assert REACH == pytest.approx(0.07 * math.sqrt(2))
    for distance, executed in ((0.0975, True), (0.099, False)):
        # 0.016 m above the card's centre: the diagonal counts, not the floor plan.
        judge = _judged(LIFTED, _state((0.2 - distance, 0.7, 0.017)))
        assert judge.executed == executed


def test_stages_latch_and_over_card_needs_the_cube_held_above_one() -> None:
    judge = _judged(LIFTED)
    assert judge.stages == {"reached": False, "grasped": True, "lifted": True, "over_card": False}
    judge.watch(_state((0.2, 0.72, 0.08), **HELD))
    judge.watch(_state((0.0, 0.7, 0.015)))
    assert judge.stages["over_card"] and judge.stages["lifted"]
    near = _state((0.0, 0.7, 0.015), tcp=np.array([0, 0.7, 0.03, 1, 0, 0, 0], float))
    judge.watch(near)
    assert judge.stages["reached"]


@given(
    x=st.floats(-0.3, 0.45),
    y=st.floats(0.2, 1.1),
    lifted=st.booleans(),
    touched=st.booleans(),
    target=st.integers(0, 2),
)
def test_success_is_executed_and_recognised(
    x: float, y: float, lifted: bool, touched: bool, target: int
) -> None:
    last = _state((x, y, 0.017), touched=touched)
    judge = _judged(*([LIFTED] if lifted else []), last, target=target)
    measures = judge.measures
    assert judge.success == (measures["executed"] == 1.0 and measures["recognised"] == 1.0)
    assert (measures["recognised"] is None) == (measures["executed"] == 0.0)
    assert measures["executed"] <= measures["picked"]
    if judge.success:
        assert measures["success_paper"] == 1.0
