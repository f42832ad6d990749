"""Actions in and out of the network's range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vlm4vla.core.errors import OutOfRange, UnknownName
from vlm4vla.core.specs import Gripper
from vlm4vla.core.statistics import NAMED, ActionStatistics, named, of_actions
from vlm4vla.models.normalisation import Normaliser

BRIDGE = NAMED["bridge_orig"]
numbers = st.floats(-3, 3, allow_nan=False, width=32)


@given(st.lists(numbers, min_size=7, max_size=7), st.sampled_from([0.65, 1.0]))
def test_what_the_range_holds_comes_back(values, clip):
    normaliser = Normaliser(None, clip, Gripper())
    action = torch.tensor(values)
    arm, gripper = normaliser.encode(action)
    back = normaliser.decode(arm, gripper - 0.5)
    torch.testing.assert_close(back[:6], action[:6].clamp(-clip, clip), atol=1e-6, rtol=0)
    if abs(values[6]) > 1e-3:  # nearer to one of the two
        assert back[6] == (1.0 if values[6] > 0 else -1.0)


def test_quantiles_become_the_ends_of_the_range():
    normaliser = Normaliser(BRIDGE, 1.0, Gripper(1.0, 0.0))
    ends = torch.tensor([[*BRIDGE.q01, 0.0], [*BRIDGE.q99, 1.0]])
    arm, gripper = normaliser.encode(ends)
    torch.testing.assert_close(arm, torch.tensor([[-1.0] * 6, [1.0] * 6]), atol=1e-5, rtol=0)
    assert gripper.tolist() == [0.0, 1.0]
    torch.testing.assert_close(normaliser.decode(arm, gripper - 0.5), ends, atol=1e-6, rtol=0)


def test_clipping_leaves_the_outer_part_of_the_span_out_of_reach():
    """17.5 % of the q01..q99 span at each side, as in the published code."""
    normaliser = Normaliser(BRIDGE, 0.65, Gripper())
    widest = normaliser.decode(torch.ones(6), torch.zeros(()))[:6]
    low, high = np.array(BRIDGE.q01), np.array(BRIDGE.q99)
    np.testing.assert_allclose(widest.numpy(), low + 0.825 * (high - low), atol=1e-6)


@pytest.mark.parametrize(
    "gripper", [Gripper(), Gripper(-1.0, 1.0), Gripper(1.0, 0.0), Gripper(0, 1)]
)
def test_open_is_one_whatever_the_dataset_calls_it(gripper):
    normaliser = Normaliser(None, 0.65, gripper)
    actions = torch.zeros(2, 7)
    actions[:, 6] = torch.tensor([float(gripper.open), float(gripper.closed)])
    assert normaliser.encode(actions)[1].tolist() == [1.0, 0.0]
    decoded = normaliser.decode(torch.zeros(2, 6), torch.tensor([0.1, -0.1]))
    assert torch.equal(decoded[:, 6], actions[:, 6])


def test_an_axis_that_never_moves_stays_where_it_was():
    still = ActionStatistics("still", (-1, -1, -1, 0.25, 0, 0), (1, 1, 1, 0.25, 1, 1))
    normaliser = Normaliser(still, 0.65, Gripper())
    arm, _ = normaliser.encode(torch.tensor([0, 0, 0, 0.25, 0.5, 0.5, 1.0]))
    assert torch.equal(arm, torch.zeros(6))
    assert normaliser.decode(torch.ones(6), torch.ones(()))[3] == 0.25


def test_statistics_are_quantiles_of_the_arms_numbers():
    actions = np.random.default_rng(0).normal(size=(10_000, 7))
    found = of_actions("mine", actions)
    assert found.name == "mine" and len(found.q01) == 6
    np.testing.assert_allclose(found.q01, -2.326, atol=0.12)
    np.testing.assert_allclose(found.q99, 2.326, atol=0.12)


def test_statistics_by_name():
    assert named("none") is None and named("bridge_orig") is BRIDGE
    with pytest.raises(UnknownName, match="libero_10_no_noops"):
        named("libero_10")
    with pytest.raises(OutOfRange, match="above"):
        ActionStatistics("upside down", (1,) * 6, (0,) * 6)
