"""Our policies keep every rule; a policy that breaks one is told which."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vlm4vla.core.errors import BadInput
from vlm4vla.core.specs import ActionSpec, ObservationRequest, PolicySpec
from vlm4vla.policies import ActionChunk, Policy
from vlm4vla.testing import BrokenContract, check_policy


@pytest.mark.parametrize("policy", ["random", "expert"])
def test_ours_keep_the_contract(policy):
    check_policy(policy, "toy")


class Sound(Policy):
    """Ten lines, as in README."""

    def act(self, observations, sessions):
        return [ActionChunk(np.full((4, 7), 0.1)) for _ in observations]


class Misshapen(Sound):
    def act(self, observations, sessions):
        return [ActionChunk(np.zeros((4, 6))) for _ in observations]


class Infinite(Sound):
    def act(self, observations, sessions):
        return [ActionChunk(np.full((4, 7), np.nan)) for _ in observations]


class Raises(Sound):
    def act(self, observations, sessions):
        raise RuntimeError("no weights")


class Unseeded(Sound):
    def act(self, observations, sessions):
        return [ActionChunk(np.random.normal(size=(4, 7))) for _ in observations]


class Unforgetting(Sound):
    """Counts on, whatever `reset` says."""

    def __init__(self, simulator, **options):
        super().__init__(simulator, **options)
        self._count = itertools.count()

    def act(self, observations, sessions):
        return [ActionChunk(np.full((4, 7), 1e-3 * next(self._count))) for _ in observations]


class Mixing(Sound):
    """Every answer is the mean over the batch."""

    def act(self, observations, sessions):
        mean = np.mean([seen.proprio[0] + seen.image("top").mean() for seen in observations])
        return [ActionChunk(np.full((4, 7), mean / 255)) for _ in observations]


class Mixed(Mixing):
    """The same, honestly."""

    @classmethod
    def describe(cls, simulator, **options):
        request = super().describe(simulator, **options).request
        return PolicySpec(simulator.action, request, batch_invariant=False)


class Peeping(Sound):
    @classmethod
    def describe(cls, simulator, **options):
        return PolicySpec(simulator.action, ObservationRequest(privileged=True))


@pytest.mark.parametrize("policy", [Sound, Mixed])
def test_a_sound_one_passes(policy):
    check_policy(policy, "toy")


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Misshapen, "shape (4, 6), not (H, 7)"),
        (Infinite, "not finite"),
        (Raises, "RuntimeError: no weights"),
        (Unseeded, "answers differently when it is loaded again"),
        (Unforgetting, "remembers an episode beyond `reset`"),
        (Mixing, "depends on what else is in the batch"),
        (Peeping, "not marked privileged"),
    ],
)
def test_each_broken_rule_is_named(policy, said):
    with pytest.raises(BrokenContract) as broken:
        check_policy(policy, "toy")
    assert any(said in line for line in broken.value.broken), broken.value


def test_a_policy_that_does_not_fit_is_refused_as_bench_run_refuses_it():
    class Elsewhere(Sound):
        @classmethod
        def describe(cls, simulator, **options):
            return PolicySpec(ActionSpec(frame="tcp"))

    with pytest.raises(BadInput, match="does not fit"):
        check_policy(Elsewhere, "toy")
