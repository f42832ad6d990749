"""One loaded task: its model, its initial states, and resets that forget what came before.

Fixtures (stove, cabinet, microwave) are in no initial state: each reset draws their poses from
numpy's global generator. So that generator is set right before each reset, and what robosuite
gathers from reset to reset is counted, since it changes how much is drawn.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mujoco
import numpy as np
from libero.libero import get_libero_path
from libero.libero.envs.env_wrapper import ControlEnv
from robosuite.utils.observables import Observable, sensor

from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.errors import InvalidFile, OutOfRange
from vlm4vla.core.simulator import DRAWN, Floats
from vlm4vla.simulators.libero.eye import POSED, Poses

STATE = "state"
"""In an episode's setup: a state to begin at as it is, in place of the suite's."""
RESETS = "resets"
"""In an episode's setup: how many resets of the community's order came before, if not its init."""
_NOOP = np.array([0.0, 0, 0, 0, 0, 0, -1])
_FULL = mujoco.mjtState.mjSTATE_INTEGRATION


@dataclass(frozen=True)
class TaskFiles:
    """Which files an episode is played from."""

    folder: str
    """The suite whose goals and scenes they are, e.g. `libero_10` or `libero_10_swap`."""
    states: str
    """The suite whose initial states; empty: the task's own sampler draws new ones."""
    task: str

    @classmethod
    def of(cls, episode: Episode) -> TaskFiles:
        """As the suite's manifest says."""
        return cls(str(episode.setup["scene"]), str(episode.setup["states"]), episode.key.task)


class TaskWorld:
    """A task in robosuite. Building it costs seconds and two gigabytes."""

    shown: Poses
    """What pictures show."""
    drawn: Floats
    """What the sampler drew, or nothing: as LIBERO's files of initial states have it, and then the
    positions and quaternions (wxyz) of all fixtures, which they leave out."""

    def __init__(self, scene: TaskFiles) -> None:
        """Load model and initial states, without any renderer. Raises InvalidFile."""
        self.scene = scene
        goal = _file("bddl_files", scene.folder, f"{scene.task}.bddl")
        self._states = _states(scene) if scene.states else None
        self._wrapped = ControlEnv(
            bddl_file_name=str(goal), has_offscreen_renderer=False, use_camera_obs=False,
            ignore_done=True,
        )  # fmt: skip
        self.env: Any = self._wrapped.env
        self._samplers = list(self.env.object_property_initializers)
        self._orders: dict[int, list[dict[str, Any]]] = {}
        rate = self.env.control_freq
        self.env.add_observable(Observable("poses", self._sampler(), sampling_rate=rate))

    @property
    def model(self) -> mujoco.MjModel:
        """MuJoCo's own; a reset makes a new one."""
        return self.env.sim.model._model

    @property
    def data(self) -> mujoco.MjData:
        """MuJoCo's own; a reset makes a new one."""
        return self.env.sim.data._data

    @property
    def state(self) -> Floats:
        """All that the physics goes on from: positions, velocities, warm start, controls."""
        state = np.zeros(mujoco.mj_stateSize(self.model, _FULL))
        mujoco.mj_getState(self.model, self.data, state, _FULL)
        return state

    @property
    def goals(self) -> list[bool]:
        """Which of the goal's conditions hold."""
        conditions = self.env.parsed_problem["goal_state"]
        return [bool(self.env._eval_predicate(condition)) for condition in conditions]

    def reset(self, episode: Episode, community: bool) -> None:
        """Bring the world to the episode's initial state; nothing has settled yet."""
        key, before = episode.key, 0
        if community:
            earlier = int(cast(int, episode.setup.get(RESETS, key.init)))
            before = 1 + earlier
            np.random.set_state(self._order(key.seed, earlier))
        else:  # alike for a suite and for those that perturb it
            np.random.seed((key.seed, zlib.crc32(f"{key.task}/{key.init}".encode())))
        self._reset(before)
        self.drawn = np.zeros(0)
        if (recorded := episode.setup.get(STATE)) is not None:
            self._wrapped.set_init_state(np.asarray(recorded, np.float64))
        elif self._states is not None:
            if key.init >= len(self._states):
                raise OutOfRange(
                    f"{self.scene.task} has no init {key.init} in {self.scene.states}; "
                    f"it has {len(self._states)}."
                )
            self._wrapped.set_init_state(self._states[key.init])
        else:
            self._draw(episode.setup.get(DRAWN))

    def _draw(self, known: JSON) -> None:
        """Keep the state that the reset drew, or bring back one that it drew before."""
        fixtures = [self.env.obj_body_id[name] for name in self.env.fixtures_dict]
        state, model = self._wrapped.get_sim_state(), self.model
        if known is not None:
            given = np.asarray(known, np.float64)
            ends = np.cumsum([len(state), 3 * len(fixtures)])
            state, positions, quaternions = np.split(given, ends)
            model.body_pos[fixtures] = positions.reshape(-1, 3)
            model.body_quat[fixtures] = quaternions.reshape(-1, 4)
            self._wrapped.set_init_state(state)
        places = model.body_pos[fixtures].ravel(), model.body_quat[fixtures].ravel()
        self.drawn = np.concatenate([state, *places])

    def settle(self) -> None:
        """One step in which the robot stands still."""
        self.step(_NOOP)

    def step(self, action: Floats) -> bool:
        """One control step of 50 ms; whether the goal holds after it."""
        return bool(self._wrapped.step(action)[2])

    def close(self) -> None:
        """Give the model back."""
        self._wrapped.close()

    def _sampler(self) -> Callable[[object], float]:
        """A sensor for what pictures show: things as robosuite sees them.

        It samples some of the 25 steps of physics before a control step ends, never at its end;
        pictures that policies are trained and evaluated on are of that moment.
        """

        @sensor(modality="pictures")  # type: ignore[untyped-decorator]
        def poses(cache: object) -> float:
            self.shown = {name: getattr(self.data, name).copy() for name in POSED}
            return 0.0

        return cast(Callable[[object], float], poses)

    def _order(self, seed: int, init: int) -> dict[str, Any]:
        """The generator before the reset of this init, in upstream's order of resets.

        Without building the model anew a reset draws the same numbers in a tenth of the time.
        """
        known = self._orders.setdefault(seed, [])
        if not known:
            np.random.seed(seed)
            known.append(np.random.get_state(legacy=False))
        np.random.set_state(known[-1])
        self.env.hard_reset = False
        while len(known) <= init:
            self._reset(len(known) + 1)
            known.append(np.random.get_state(legacy=False))
        self.env.hard_reset = True
        return known[init]

    def _reset(self, before: int) -> None:
        """A robosuite reset, with the samplers that so many earlier ones left behind."""
        self.env.object_property_initializers[:] = self._samplers * before
        self._wrapped.reset()


def _file(kind: str, folder: str, name: str) -> Path:
    path = Path(get_libero_path(kind)) / folder / name
    if not path.is_file():
        raise InvalidFile(f"LIBERO's package has no {path}.", "bench env install libero")
    return path


def _states(scene: TaskFiles) -> Floats:
    path = _file("init_states", scene.states, f"{scene.task}.pruned_init.npz")
    with np.load(path) as stored:
        states = np.asarray(stored["states"], np.float64)
    if not len(states):
        raise InvalidFile(f"{path} holds no initial state.", "Leave this task out.")
    return states
