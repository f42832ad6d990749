"""Every suite as a `gymnasium.Env`, for users outside the harness.

    env = vlm4vla.simulators.gym.make("toy", cameras=["top"])
    observation, info = env.reset(seed=0, options={"task": "near", "init": 3})

An episode is what it is in the harness: same initial state, same randomness, same outcome for the
same actions. A simulator whose environment has a Python of its own is moved there, by a host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vlm4vla.core.convert import orient
from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import BadInput, MissingDependency, OutOfRange, ResetNeeded, UnknownName
from vlm4vla.core.simulator import Floats, Frames, Progress, Simulator
from vlm4vla.core.specs import CameraRequest, ObservationRequest, SimulatorSpec

# The one module here that knows suites and environments: it stands in the harness's place.
from vlm4vla.environments.construction import maker
from vlm4vla.simulators import registry
from vlm4vla.suites.suite import Scalar, Suite, load

try:
    import gymnasium
    from gymnasium import spaces
    from gymnasium.envs.registration import EnvSpec
except ImportError as error:
    raise MissingDependency(
        "The Gymnasium facade needs gymnasium, which is not installed.",
        'pip install "vlm4vla[gym]"',
    ) from error

Observed = dict[str, Frames | Floats]


def make(
    suite: str,
    cameras: Sequence[str | CameraRequest] | None = None,
    protocol: str | None = None,
    render_mode: str | None = None,
    **options: Scalar,
) -> SuiteEnv:
    """The suite as an environment, its simulator built and its packages and assets checked.

    Args:
        suite: Name of a suite that ships, or the path of a suite file.
        cameras: Cameras to observe, by name or with size and orientation; None for all.
        protocol: A named reading of the suite.
        render_mode: `rgb_array` to use `render()`.
        options: Simulator options, e.g. `robot="panda"`.

    Raises:
        BadInput: the suite, an option, a camera, a package or an asset does not exist.
    """
    env = SuiteEnv(load(suite, protocol, options), cameras, render_mode)
    env.spec = EnvSpec(
        id=f"vlm4vla/{env.suite.name}-v0",
        entry_point="vlm4vla.simulators.gym:make",
        kwargs={"suite": suite, "cameras": cameras, "protocol": protocol, **options},
    )
    return env


class SuiteEnv(gymnasium.Env[Observed, Floats]):
    """One suite's episodes; `reset` chooses among them.

    Observations: each camera's frame, uint8 (H, W, 3), under the camera's name, and `proprio` (P,)
    where the simulator has it. Actions: (A,) in the simulator's ActionSpec (`simulator_spec`).
    Reward: 1 while the task's success rule holds, else 0. `info` holds the instruction, the
    episode's identity, success, stages and measures.
    """

    def __init__(
        self,
        suite: Suite,
        cameras: Sequence[str | CameraRequest] | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Check what the simulator needs, then build it."""
        if render_mode not in (None, "rgb_array"):
            raise UnknownName("render mode", str(render_mode), ["rgb_array"])
        plugin = registry.plugin(suite.simulator)
        self.suite = suite
        self.render_mode = render_mode
        self.simulator_spec: SimulatorSpec = plugin.describe(suite.options)
        self.request, self.observation_space = _observed(self.simulator_spec, cameras)
        rendering = bool(self.request.cameras) or render_mode is not None
        made = maker(suite.simulator, plugin, suite.options, rendering)
        action = self.simulator_spec.action
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": action.control_hz or 10}
        low, high = (np.broadcast_to(x, action.size) for x in (action.low, action.high))
        self.action_space = spaces.Box(low, high, (action.size,), np.float64)
        self._simulator: Simulator = made()
        self._episode: Episode | None = None
        self._done = False
        self._seed = 0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Start an episode: `options={"task": name, "init": k}`, drawn where left open.

        `seed` is the episode's seed, as in `bench run --seed`, and holds until another is given;
        it is 0 at first. The same seed, task and init are the same episode.
        """
        super().reset(seed=seed)
        if seed is not None:
            if not 0 <= seed < 2**31:
                raise OutOfRange(f"Seed {seed} is outside 0..2147483647.", "Choose e.g. seed=0.")
            self._seed = int(seed)
        chosen = self._choose(dict(options or {}))
        self._episode = replace(chosen, key=replace(chosen.key, seed=self._seed))
        self._simulator.reset(self._episode)
        self._done = False
        return self._observe(Progress())

    def step(self, action: Floats) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """One action (A,); ResetNeeded where no episode is running."""
        if self._episode is None or self._done:
            raise ResetNeeded("No episode is running.", "Call env.reset() first.")
        values = np.asarray(action, np.float64)
        if values.shape != self.action_space.shape or not np.isfinite(values).all():
            raise BadInput(
                f"An action has shape {self.action_space.shape} and finite numbers, "
                f"not {values.shape}: {values}"
            )
        progress = self._simulator.advance(values)
        self._done = progress.done
        observation, info = self._observe(progress)
        reward = float(progress.success)
        return observation, reward, progress.terminated, progress.truncated, info

    def render(self) -> Frames | None:
        """The first camera's view, uint8 (H, W, 3)."""
        if self.render_mode is None:
            return None
        if self._episode is None:
            raise ResetNeeded("There is nothing to see yet.", "Call env.reset() first.")
        camera = CameraRequest(self.simulator_spec.observation.cameras[0].name)
        return self._simulator.observe(ObservationRequest((camera,))).image(camera.name)

    def close(self) -> None:
        """Give the simulator back."""
        self._simulator.close()

    def _choose(self, options: dict[str, Any]) -> Episode:
        UnknownName.check("reset option", options, ("task", "init"))
        tasks = [str(options["task"])] if options.get("task") is not None else []
        inits = [int(options["init"])] if options.get("init") is not None else []
        episodes = self.suite.narrowed(tasks, inits).episodes
        return episodes[int(self.np_random.integers(len(episodes)))]

    def _observe(self, progress: Progress) -> tuple[Observed, dict[str, Any]]:
        assert self._episode is not None
        seen = self._simulator.observe(self.request)
        observation: Observed = {
            camera.name: orient(seen.image(camera.name), camera) for camera in self.request.cameras
        }
        if seen.proprio is not None:
            observation["proprio"] = seen.proprio
        return observation, {
            "instruction": seen.instruction,
            "episode_id": str(self._episode.key),
            "success": progress.success,
            "stages": dict(progress.stages),
            "measures": dict(progress.measures),
        }


def _observed(
    spec: SimulatorSpec, cameras: Sequence[str | CameraRequest] | None
) -> tuple[ObservationRequest, spaces.Space[Any]]:
    """What is asked of the simulator for an observation, and the space of these."""
    offered = {camera.name: camera for camera in spec.observation.cameras}
    wanted = [
        camera if isinstance(camera, CameraRequest) else CameraRequest(camera)
        for camera in (offered if cameras is None else cameras)
    ]
    boxes: dict[str, spaces.Space[Any]] = {}
    for camera in wanted:
        if camera.name not in offered:
            raise UnknownName(f"camera in simulator '{spec.simulator}'", camera.name, offered)
        own = offered[camera.name]
        shape = (camera.height or own.height, camera.width or own.width, 3)
        boxes[camera.name] = spaces.Box(0, 255, shape, np.uint8)
    if spec.observation.proprio:
        size = (spec.observation.proprio_size,)
        boxes["proprio"] = spaces.Box(-np.inf, np.inf, size, np.float64)
    return ObservationRequest(tuple(wanted), spec.observation.proprio), spaces.Dict(boxes)
