"""One episode: what is rendered, what is executed, what is recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.rollout.probes import CountingWorld, LimitedWorld
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import ErrorKind, PolicyFault, SimulatorFault
from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.result import Outcome
from vlm4vla.core.specs import (
    CameraRequest,
    ObservationRequest,
    PolicySpec,
    opening,
    position,
)
from vlm4vla.rollout.episode_loop import LoopConfig, run_episode
from vlm4vla.rollout.execution import Execution
from vlm4vla.rollout.recording import Player, Recording
from vlm4vla.simulators import plugin
from vlm4vla.simulators.toy.expert import ToyExpert
from vlm4vla.simulators.toy.world import World
from vlm4vla.suites.suite import load

SPEC = plugin("toy").describe({})
EPISODE = load("toy").episodes[0]
CAMERA = CameraRequest("top", 16, 16)


class Local:
    """A policy without a server: the loop's own view of a connection."""

    def __init__(self, answer):
        self.answer, self.seen, self.resets = answer, [], []

    def reset(self, key: EpisodeKey, fresh: bool) -> None:
        self.resets.append(fresh)

    def act(self, observation):
        self.seen.append(observation)
        return self.answer(observation)


def still(length=4, **chunk):
    actions = np.zeros((length, 7))
    actions[:, 6] = 1
    return lambda observation: ActionChunk(actions, **chunk)


def pushing(length):
    actions = np.zeros((length, 7))
    actions[:, 2] = -0.1
    return lambda observation: ActionChunk(actions)


def expert(observation):
    return ToyExpert(SPEC).act([observation], [Session(EPISODE.key)])[0]


def go(policy, world=None, request=None, execute="chunk", video=None, mode="none", **settings):
    spec = PolicySpec(SPEC.action, request or ObservationRequest())
    config = LoopConfig(SPEC, spec, Execution.parse(execute), video=mode, **settings)
    return run_episode(world or CountingWorld(), EPISODE, policy, config, lambda phase: None, video)


def test_one_render_a_chunk_and_none_between():
    world = CountingWorld()
    result = go(Local(still(10)), world, ObservationRequest((CAMERA,)))
    assert world.looks == [(step, 1) for step in range(0, 60, 10)]
    assert (result.steps, result.queries, result.renders) == (60, 6, 6)


def test_a_policy_that_asks_for_no_image_causes_no_render():
    world = CountingWorld()
    result = go(Local(expert), world, ObservationRequest(privileged=True))
    assert result.outcome is Outcome.SUCCESS
    assert result.renders == 0 and {cameras for _, cameras in world.looks} == {0}


def test_rendering_every_step_changes_no_bit_of_the_outcome(tmp_path):
    lazy = go(Local(expert), request=ObservationRequest(privileged=True))
    busy = go(
        Local(expert),
        request=ObservationRequest((CAMERA,), SPEC.observation.proprio, True),
        video=tmp_path / "v.mp4",
        mode="all",
    )
    assert lazy.actions.tobytes() == busy.actions.tobytes()
    assert (lazy.outcome, lazy.steps, lazy.stages, lazy.measures) == (
        busy.outcome,
        busy.steps,
        busy.stages,
        busy.measures,
    )
    assert busy.renders > busy.steps and (tmp_path / "v.mp4").stat().st_size > 1000


def test_frame_offsets_are_rendered_when_due_and_only_then():
    world, policy = CountingWorld(), Local(still(10))
    go(policy, world, ObservationRequest((CAMERA,), offsets=(-3, -1, 0)))
    assert [step for step, _ in world.looks][:7] == [0, 7, 9, 10, 17, 19, 20]
    assert policy.seen[0].images["top"].shape == (3, 16, 16, 3)


def test_frame_offsets_show_the_past_oldest_first():
    class Clock(World):
        """Every pixel is the step's number."""

        def _draw(self, height, width):
            return np.full((height, width, 3), self._steps, np.uint8)

    policy = Local(still(10))
    go(policy, Clock(), ObservationRequest((CAMERA,), offsets=(-3, -1, 0)))
    shown = [[int(f.mean()) for f in o.images["top"]] for o in policy.seen]
    assert shown[0] == [0, 0, 0]  # before the first step there is only the first frame
    assert shown[1] == [7, 9, 10] and shown[5] == [47, 49, 50]


def test_each_part_has_its_own_offsets_and_only_what_is_due_is_looked_at():
    """The picture is wanted as it is now, the hand as it was one and three steps ago, too."""
    world, policy = CountingWorld(), Local(pushing(10))
    request = ObservationRequest(
        (CAMERA,), (position("base"),), offsets=(0,), proprio_offsets=(-3, -1, 0)
    )
    go(policy, world, request)
    assert [look for look in world.looks][:4] == [(0, 1), (7, 0), (9, 0), (10, 1)]
    hand = policy.seen[1].proprio
    assert hand.shape == (3, 3) and policy.seen[1].images["top"].shape[0] == 1
    assert hand[0, 2] > hand[1, 2] > hand[2, 2]  # it goes down all the time
    two = ObservationRequest((replace(CAMERA, offsets=(-1, 0)),), (position("base"),))
    seen = Local(still(10))
    go(seen, World(), two)
    assert seen.seen[1].images["top"].shape[0] == 2 and seen.seen[1].proprio.shape == (3,)


def test_a_camera_goes_by_its_role_and_by_what_data_sets_call_it():
    plain, role, alias = Local(still()), Local(still()), Local(still())
    go(plain, request=ObservationRequest((CAMERA,)))
    go(role, request=ObservationRequest((replace(CAMERA, name="third_person"),)))
    go(alias, request=ObservationRequest((replace(CAMERA, name="agentview_rgb"),)))
    top = plain.seen[0].images["top"]
    np.testing.assert_array_equal(role.seen[0].images["third_person"], top)
    np.testing.assert_array_equal(alias.seen[0].images["agentview_rgb"], top)


def test_proprioception_comes_in_the_order_and_unit_that_is_asked_for():
    as_offered, turned = Local(still()), Local(still())
    go(as_offered, request=ObservationRequest(proprio=SPEC.observation.proprio))
    go(turned, request=ObservationRequest(proprio=(opening(-1.0, 1.0), position("base", "mm"))))
    x, y, z, share = as_offered.seen[0].proprio
    np.testing.assert_allclose(
        turned.seen[0].proprio, [1 - 2 * share, 1000 * x, 1000 * y, 1000 * z]
    )


def test_the_policy_sees_the_orientation_it_declared():
    plain, turned = Local(still()), Local(still())
    go(plain, request=ObservationRequest((CAMERA,)))
    request = ObservationRequest((CameraRequest("top", 16, 16, flip="rotate180", colour="bgr"),))
    go(turned, request=request)
    expected = plain.seen[0].image("top")[::-1, ::-1, ::-1]
    assert np.array_equal(turned.seen[0].image("top"), expected)
    assert not np.array_equal(turned.seen[0].image("top"), plain.seen[0].image("top"))


def test_a_new_instruction_drops_the_chunk_and_resets_the_memory():
    policy = Local(still(10))
    result = go(policy, LimitedWorld())
    assert [o.step for o in policy.seen] == [0, 5]  # asked again at once, not at step 10
    assert policy.resets == [True, False] and result.steps == 12


def test_the_policy_may_end_the_episode():
    result = go(Local(still(10, terminate_after=3)))
    assert result.steps == 3 and result.outcome is Outcome.FAILURE


def test_a_policy_that_ends_an_instruction_goes_on_with_the_next():
    """As SimplerEnv's apple: the action that ends the first instruction is the second's first."""

    class TwoThings(World):
        moves = 0

        def move_on(self):
            self.moves += 1

        def advance(self, action):
            changed = self.moves == 1
            self.moves += changed
            return replace(super().advance(action), instruction_changed=changed)

    policy, world = Local(still(10, terminate_after=3)), TwoThings()
    result = go(policy, world)
    assert [o.step for o in policy.seen] == [0, 3]
    assert policy.resets == [True, False]
    assert result.steps == 6, "the second instruction is the last"

    recording = Recording(result.actions, (0, 3), declared=2)
    again = go(Player(recording), TwoThings())
    assert again.query_steps == result.query_steps and again.steps == result.steps


@pytest.mark.parametrize(("rule", "outcome"), [("last", "failure"), ("any", "success")])
def test_success_at_any_step_and_at_the_last_are_told_apart(rule, outcome):
    class Fickle(World):
        def advance(self, action):
            progress = super().advance(action)
            return type(progress)(success=self._steps == 3, truncated=self._steps == 6)

    result = go(Local(still()), Fickle(), success=rule)
    assert (result.success_any, result.success_last) == (True, False)
    assert result.outcome.value == outcome


def test_actions_are_recorded_as_the_simulator_received_them():
    policy = Local(lambda o: ActionChunk(np.full((2, 7), 0.1 * (1 + o.step))))
    result = go(policy)
    assert result.actions.shape == (60, 7)
    assert result.actions[:4, 0] == pytest.approx([0.1, 0.1, 0.3, 0.3])


def fail(error):
    def answer(observation):
        raise error

    return answer


def test_a_policys_fault_is_an_error_of_the_policy():
    result = go(Local(fail(PolicyFault("bad chunk"))))
    assert (result.outcome, result.error) == (Outcome.ERROR, ErrorKind.POLICY)


@pytest.mark.parametrize("error", [SimulatorFault("broken"), ZeroDivisionError("broken")])
def test_whatever_a_simulator_raises_is_an_error_of_the_simulator(error):
    class Broken(World):
        def advance(self, action):
            raise error

    result = go(Local(still()), Broken())
    assert (result.outcome, result.error) == (Outcome.ERROR, ErrorKind.SIMULATOR)
    assert "broken" in result.error_text


def test_success_before_an_error_does_not_count():
    class Late(World):
        def advance(self, action):
            progress = super().advance(action)
            if self._steps == 4:
                raise SimulatorFault("late")
            return type(progress)(success=True)

    assert go(Local(still()), Late(), success="any").outcome is Outcome.ERROR
