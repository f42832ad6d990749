"""Which actions of a chunk reach the simulator."""

from __future__ import annotations

import numpy as np
import pytest

from vlm4vla.core.errors import BadInput
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.specs import ActionSpec, Gripper
from vlm4vla.rollout.execution import Execution, Executor

SPEC = ActionSpec()


def played(mode, chunks, spec=SPEC):
    """Everything executed when each chunk is loaded as soon as the last has run out."""
    executor = Executor(Execution.parse(mode), spec)
    taken = []
    for chunk in chunks:
        executor.load(ActionChunk(np.asarray(chunk, np.float64)))
        while executor.remaining:
            taken.append(executor.next())
    return np.array(taken)


def numbered(length, start=0):
    """A chunk whose action i is filled with start + i."""
    return np.repeat(np.arange(start, start + length, dtype=np.float64)[:, None], 7, 1)


def gripper_only(values):
    chunk = np.zeros((len(values), 7))
    chunk[:, -1] = values
    return chunk


@pytest.mark.parametrize(
    ("mode", "length", "executed"),
    [("chunk", 5, 5), ("half", 5, 3), ("half", 4, 2), ("first", 5, 1), ("3", 5, 3), ("9", 5, 5)],
)
def test_how_many_actions_are_executed(mode, length, executed):
    assert played(mode, [numbered(length)])[:, 0].tolist() == list(range(executed))


def test_ensemble_averages_every_opinion_of_the_same_step():
    first, second = numbered(3, 10), numbered(3, 20)
    taken = played("ensemble", [first, second])
    old, new = 1.0, np.exp(-0.01)  # the oldest opinion weighs most (ACT)
    assert taken[0, 0] == 10
    assert taken[1, 0] == pytest.approx((11 * old + 20 * new) / (old + new))


def test_ensemble_forgets_chunks_that_no_longer_reach_the_step():
    taken = played("ensemble", [numbered(2, 0), numbered(2, 100), numbered(2, 200)])
    old, new = 1.0, np.exp(-0.01)
    assert taken[2, 0] == pytest.approx((101 * old + 200 * new) / (old + new))


def test_ensemble_lets_the_gripper_vote_instead_of_averaging():
    opened, closed = np.zeros((3, 7)), np.zeros((3, 7))
    opened[:, -1], closed[:, -1] = 0.2, -1.0
    taken = played("ensemble", [opened, closed, closed])
    # Step 1: one of two, but the older opinion weighs more; step 2: two of three say closed.
    assert taken[:, -1].tolist() == [1.0, 1.0, -1.0]


def test_votes_open_the_gripper_only_after_consecutive_agreement():
    values = [1, -1, 1, 1, 1, -1, 1]
    taken = played("chunk+votes2", [gripper_only(values)])
    assert taken[:, -1].tolist() == [-1, -1, -1, 1, 1, -1, -1]


def test_votes_count_across_chunks():
    taken = played("chunk+votes2", [gripper_only([1]), gripper_only([1])])
    assert taken[:, -1].tolist() == [-1, 1]


def test_votes_follow_the_gripper_convention_of_the_simulator():
    flipped = ActionSpec(gripper=Gripper(open=-1, closed=1))
    taken = played("chunk+votes2", [gripper_only([-1, -1])], flipped)
    assert taken[:, -1].tolist() == [1, -1]


def test_a_sticky_gripper_holds_a_change():
    taken = played("chunk+sticky3", [gripper_only([-1, 1, -1, -1, -1, -1])])
    assert taken[:, -1].tolist() == [-1, 1, 1, 1, -1, -1]


def test_reset_drops_the_chunk_and_every_memory():
    executor = Executor(Execution.parse("chunk+votes2"), SPEC)
    executor.load(ActionChunk(gripper_only([1, 1])))
    executor.next()
    executor.reset()
    assert executor.remaining == 0
    executor.load(ActionChunk(gripper_only([1])))
    assert executor.next()[-1] == -1  # the vote before the reset does not count


def test_the_policy_can_end_the_episode_within_a_chunk():
    executor = Executor(Execution.parse("chunk"), SPEC)
    executor.load(ActionChunk(numbered(5), terminate_after=2))
    executor.next()
    assert not executor.finished
    executor.next()
    assert executor.finished


def test_the_chunk_itself_is_never_changed():
    chunk = gripper_only([1, 1])
    played("chunk+votes2", [chunk])
    assert chunk[:, -1].tolist() == [1, 1]


@pytest.mark.parametrize("text", ["", "0", "-1", "chunks", "half+votes", "first+sticky-1", "1.5"])
def test_other_words_are_refused_with_the_right_ones(text):
    with pytest.raises(BadInput, match="ensemble"):
        Execution.parse(text)


def test_a_change_of_opening_is_repeated_as_octo_repeats_it():
    """SimplerEnv's octo_model.py, 3 repeats: the openings it is given and the commands it sends."""
    openings = [1.0, 0.9, 0.1, 1.0, 0.2, 0.2, 0.25, 1.0]
    google = ActionSpec(gripper=Gripper(open=-1.0, closed=1.0))
    chunk = gripper_only([1 - 2 * opening for opening in openings])
    taken = played("chunk+change3", [chunk], google)[:, -1]
    assert taken.tolist() == pytest.approx([0, 0.1, 0.8, 0.8, 0.8, 0, -0.05, -0.75])


def test_a_small_change_is_none_as_for_rt1():
    google = ActionSpec(gripper=Gripper(open=-1.0, closed=1.0))
    chunk = gripper_only([0.009, -0.0099, 0.01, -1.0])
    assert played("chunk+dead0.01", [chunk], google)[:, -1].tolist() == [0, 0, 0.01, -1.0]
    assert Execution.parse("first+change15+dead0.01").change == 15
