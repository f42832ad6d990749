"""Our simulators keep every rule; a simulator that breaks one is told which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vlm4vla.core.simulator import Observation, Progress
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.simulators import plugin
from vlm4vla.simulators.toy.plugin import Toy
from vlm4vla.simulators.toy.world import World
from vlm4vla.suites.suite import load
from vlm4vla.testing import BrokenContract, check_simulator


def picture(simulator, suite, camera, size):
    """The first thing the suite's first episode shows."""
    world = plugin(simulator).create(load(suite).options)
    world.reset(load(suite).episodes[0])
    frame = world.observe(ObservationRequest((CameraRequest(camera, *size),))).image(camera)
    world.close()
    return frame


def test_the_toy_keeps_the_contract():
    reference = {"top": picture("toy", "toy", "top", (64, 64))}
    check_simulator("toy", "toy", references=reference)


@pytest.mark.grinningface
def test_the_emoji_task_keeps_the_contract():
    check_simulator("grinningface", load("grinningface_val", None, {"robot": "panda"}), steps=4)


@pytest.mark.calvin
@pytest.mark.assets
def test_calvin_keeps_the_contract():
    check_simulator("calvin", "calvin_debug", steps=4)


class Broken(World):
    """The toy's world, to be broken."""


class Forgetful(Broken):
    """Draws from numpy's global generator."""

    def advance(self, action):
        return super().advance(action + np.random.normal(size=len(action)))


class Shaken(Broken):
    """Looking pushes the hand."""

    def observe(self, request):
        seen = super().observe(request)
        self._tcp = self._tcp + 0.01 * bool(request.cameras)
        return seen


class Tired(Broken):
    """Every episode begins a little lower than the last."""

    _worn = 0.0

    def reset(self, episode):
        super().reset(episode)
        self._tcp = self._tcp - self._worn
        self._worn += 0.01


class Generous(Broken):
    def observe(self, request):
        return super().observe(replace(request, privileged=True))


class Narrow(Broken):
    def observe(self, request):
        seen = super().observe(request)
        images = {name: frames[:, :10] for name, frames in seen.images.items()}
        return replace(seen, images=images, proprio=None if seen.proprio is None else np.zeros(2))


class Talkative(Broken):
    def advance(self, action) -> Progress:
        progress = super().advance(action)
        return replace(progress, stages={**progress.stages, "unheard": True})


class Careless(Broken):
    def observe(self, request) -> Observation:
        if self._episode is None:
            raise KeyError("no episode")
        return super().observe(request)


class Flipped(Broken):
    def _draw(self, height, width):
        return super()._draw(height, width)[::-1]


class Bluish(Broken):
    def _draw(self, height, width):
        return super()._draw(height, width)[..., ::-1]


BREAKS = [
    (Forgetful, "when it is played in a new world"),
    (Shaken, "observing changes what happens"),
    (Tired, "depends on the one before it"),
    (Generous, "what an empty request does not ask for"),
    (Narrow, "camera 'top' gives uint8 (1, 10, 256, 3), not uint8 (1, 256, 256, 3)"),
    (Narrow, "not of the 4 numbers"),
    (Talkative, "stages hold ['unheard']"),
    (Careless, "observe before reset raises KeyError, not ResetNeeded"),
    (Flipped, "camera 'top' is upside down"),
    (Bluish, "camera 'top' is in BGR"),
]


@pytest.mark.parametrize(("world", "said"), BREAKS)
def test_each_broken_rule_is_named(world, said):
    class Wrong(Toy):
        def create(self, options):
            return world()

    reference = {"top": picture("toy", "toy", "top", (64, 64))}
    with pytest.raises(BrokenContract) as broken:
        check_simulator(Wrong(), "toy", references=reference)
    assert any(said in line for line in broken.value.broken), broken.value


def test_a_plugin_that_takes_any_option_or_changes_its_mind_is_told():
    class Lax(Toy):
        asked = 0

        def describe(self, options):
            self.asked += 1
            return replace(super().describe({}), max_steps=60 + self.asked)

    with pytest.raises(BrokenContract, match="option that does not exist raises nothing") as said:
        check_simulator(Lax(), "toy")
    assert any("another spec the second time" in line for line in said.value.broken)
