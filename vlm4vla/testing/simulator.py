"""The simulator contract, rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import closing

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import BadInput, ResetNeeded
from vlm4vla.core.simulator import Frames, Simulator, SimulatorPlugin
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.environments.construction import maker
from vlm4vla.simulators.registry import plugin as named
from vlm4vla.suites.suite import Suite, load
from vlm4vla.testing.findings import UNHEARD_OF, Findings, equal


def check_simulator(
    plugin: SimulatorPlugin | str,
    suite: Suite | str,
    *,
    steps: int = 12,
    references: Mapping[str, Frames] | None = None,
) -> None:
    """Try every rule of the contract on two of the suite's episodes.

    A simulator with a Python of its own is tried there, by its registered name.

    Args:
        plugin: a simulator's plugin, its registered name, or `module:Class`.
        suite: whose first and last episode are played, with random actions.
        steps: how many of them.
        references: camera -> what it shows at the first step of the first episode, upright,
            uint8 RGB (H, W, 3).

    Raises:
        BrokenContract: naming every rule that does not hold.
        BadInput: the simulator is not installed, or the suite is none.
    """
    if isinstance(plugin, str):
        plugin = named(plugin)
    if isinstance(suite, str):
        suite = load(suite)
    if len(suite.episodes) < 2:
        raise BadInput(f"Suite '{suite.name}' has one episode; their order needs two to be tried.")
    made = maker(plugin.name, plugin, suite.options, rendering=True)
    trial = _Trial(plugin, made, suite, steps, references or {})
    trial.describes_itself()
    trial.plays()
    trial.findings.close(f"Simulator '{plugin.name}'")


_FAR = 10.0
"""How far actions go where the range is endless."""


class _Trial:
    """One simulator under trial."""

    def __init__(
        self,
        plugin: SimulatorPlugin,
        made: Callable[[], Simulator],
        suite: Suite,
        steps: int,
        references: Mapping[str, Frames],
    ) -> None:
        self.findings = Findings()
        self._expect = self.findings.expect
        self._plugin, self._made = plugin, made
        self._options, self._references = suite.options, references
        self._first, self._last = suite.episodes[0], suite.episodes[-1]
        self._spec = plugin.describe(suite.options)
        action = self._spec.action
        rng = np.random.default_rng(0)
        low, high = np.maximum(action.low, -_FAR), np.minimum(action.high, _FAR)
        self._actions = rng.uniform(low, high, (steps, action.size))

    def describes_itself(self) -> None:
        """The same words each time, and no option that does not exist."""
        again = self._plugin.describe(self._options)
        self._expect(self._spec == again, "describe gives another spec the second time")
        self.findings.refuses(
            "describe with an option that does not exist",
            lambda: self._plugin.describe({**self._options, UNHEARD_OF: 1}),
            BadInput,
        )

    def plays(self) -> None:
        """In two worlds, as some are made in minutes: to the last bit the same episodes.

        An episode must not depend on the world, on what was played before, or on being looked at.
        """
        with closing(self._made()) as world:
            self._errors_are_typed(world)
            once, again = self._played(world, self._first), self._played(world, self._first)
            seen = self._played(world, self._first, looks=True)
            after = self._played(world, self._last)
            self._specs_fit(world)
        with closing(self._made()) as world:
            alone, anew = self._played(world, self._last), self._played(world, self._first)
            self._pictures_are_upright(world)
        for one, other, said in (
            (once, again, "an episode differs when it is played again in one world"),
            (once, anew, "an episode differs when it is played in a new world"),
            (again, seen, "observing changes what happens afterwards"),
            (alone, after, "an episode depends on the one before it"),
        ):
            self._expect(equal(one, other), said)

    def _errors_are_typed(self, world: Simulator) -> None:
        """ResetNeeded before the first reset, whatever is called."""
        for what, call in (
            ("advance before reset", lambda: world.advance(self._actions[0])),
            ("observe before reset", lambda: world.observe(ObservationRequest())),
        ):
            self.findings.refuses(what, call, ResetNeeded)

    def _specs_fit(self, world: Simulator) -> None:
        """What comes out is what the spec says: cameras, sizes, proprioception, names."""
        world.reset(self._first)
        self._fits(world, None, 0)
        if any(camera.resizable for camera in self._spec.observation.cameras):
            self._fits(world, 40, 0)
        bare = world.observe(ObservationRequest())
        empty = not bare.images and bare.proprio is None and not bare.privileged
        self._expect(empty, "observe gives what an empty request does not ask for")
        taken = 0
        for action in self._actions:
            progress, taken = world.advance(action), taken + 1
            self._names_fit("stages", progress.stages, self._spec.stages)
            self._names_fit("measures", progress.measures, self._spec.measures)
            if progress.done:
                break
        self._fits(world, None, taken)

    def _pictures_are_upright(self, world: Simulator) -> None:
        """Of all flips and colour orders, the picture as it is comes nearest to the reference."""
        if self._references:
            world.reset(self._first)
        for name, reference in self._references.items():
            request = CameraRequest(name, *reference.shape[:2])
            frame = world.observe(ObservationRequest((request,))).image(name)
            if frame.shape != reference.shape:
                said = f"{frame.shape}, its reference {reference.shape}"
                self._expect(False, f"camera '{name}' gives {said}")
                continue
            off = {
                what: float(np.abs(turned - reference.astype(float)).mean())
                for what, turned in _turned(frame).items()
            }
            nearest = min(off, key=lambda what: off[what])
            said = f"camera '{name}' is {nearest} beside its reference"
            self._expect(nearest == "upright", said)

    def _played(self, world: Simulator, episode: Episode, looks: bool = False) -> list[object]:
        """What each action changed, and what is seen at the end; with `looks` at every step too."""
        everything, told = self._everything(None), []
        world.reset(episode)
        for action in self._actions:
            if looks:
                world.observe(everything)
            progress = world.advance(action)
            told.append({**vars(progress), "stages": dict(progress.stages)})
            if progress.done:
                break
        return [*told, dict(vars(world.observe(everything)))]

    def _everything(self, side: int | None) -> ObservationRequest:
        offered = self._spec.observation
        cameras = [
            CameraRequest(c.name, *((side, side) if c.resizable else ())) for c in offered.cameras
        ]
        return ObservationRequest(tuple(cameras), offered.proprio, bool(offered.privileged))

    def _fits(self, world: Simulator, side: int | None, step: int) -> None:
        expect, offered = self._expect, self._spec.observation
        seen = world.observe(self._everything(side))
        expect(seen.step == step, f"observe says step {seen.step} after {step} actions")
        expect(bool(seen.instruction), "observe gives no instruction")
        for camera in offered.cameras:
            size = (side, side) if side and camera.resizable else (camera.height, camera.width)
            frames = seen.images.get(camera.name)
            got = "nothing" if frames is None else f"{frames.dtype} {frames.shape}"
            wanted = f"uint8 {(1, *size, 3)}"
            expect(got == wanted, f"camera '{camera.name}' gives {got}, not {wanted}")
        if offered.proprio:
            count, proprio = offered.proprio_size, np.asarray(seen.proprio, np.float64)
            whole = seen.proprio is not None and proprio.shape == (count,)
            expect(whole, f"the proprioception is not of the {count} numbers of its parts")
            expect(bool(np.isfinite(proprio).all()), "the proprioception is not finite")
        self._names_fit("privileged state", seen.privileged, offered.privileged)

    def _names_fit(self, what: str, given: Collection[str], spec: Collection[str]) -> None:
        strange = sorted(set(given) - set(spec))
        self._expect(not strange, f"{what} hold {strange}, which the spec does not name")


def _turned(frame: Frames) -> dict[str, Frames]:
    return {
        "upright": frame,
        "upside down": frame[::-1],
        "mirrored": frame[:, ::-1],
        "turned by half": frame[::-1, ::-1],
        "in BGR": frame[..., ::-1],
    }
