"""The play table behind the simulator contract: one episode is one chain of subtasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from vlm4vla.core.assets import locate
from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.errors import InvalidFile, ResetNeeded, UnknownName
from vlm4vla.core.simulator import Floats, Observation, Progress
from vlm4vla.core.specs import ObservationRequest
from vlm4vla.simulators.calvin.oracle import PREDICATES, TASKS, Snapshot
from vlm4vla.simulators.calvin.renderer import choose, open_world, picture
from vlm4vla.simulators.calvin.scenes import scene
from vlm4vla.simulators.calvin.words import SOLVED, STAGES, CalvinOptions
from vlm4vla.simulators.calvin.world import PlayTable

_STATES = {"robot_obs": 15, "scene_obs": 24}


@dataclass(frozen=True)
class ChainSetup:
    """What an episode's setup says."""

    scene: str
    robot_obs: Floats
    """(15,)."""
    scene_obs: Floats
    """(24,)."""
    subtasks: tuple[str, ...]
    instructions: tuple[str, ...]
    steps_per_subtask: int

    @classmethod
    def parse(cls, episode: Episode) -> ChainSetup:
        """Read a suite's setup; UnknownName or InvalidFile for one that cannot be run."""
        setup = episode.setup
        subtasks = tuple(str(task) for task in cast(list[JSON], setup["subtasks"]))
        UnknownName.check(f"CALVIN subtask (in {episode.key})", subtasks, TASKS)
        instructions = tuple(str(line) for line in cast(list[JSON], setup["instructions"]))
        states = {name: np.array(setup[name], np.float64) for name in _STATES}
        for name, size in _STATES.items():
            if states[name].shape != (size,) or not np.isfinite(states[name]).all():
                raise InvalidFile(f"{episode.key}: {name} is not {size} finite numbers.")
        if not subtasks or len(subtasks) > len(STAGES) or len(instructions) != len(subtasks):
            raise InvalidFile(f"{episode.key}: 1 to 5 subtasks, each with its instruction.")
        steps = int(cast(int, setup["steps_per_subtask"]))
        return cls(str(setup["scene"]), **states, subtasks=subtasks, instructions=instructions,
                   steps_per_subtask=steps)  # fmt: skip


class Attempt:
    """One attempt at a chain. A subtask is judged against the moment at which it began."""

    def __init__(self, chain: ChainSetup, start: Snapshot) -> None:
        """Begin with the first subtask."""
        self._chain = chain
        self._start = start
        self._steps = 0
        self.solved = 0
        """Subtasks solved so far."""
        self.failed = False
        """The present subtask ran out of steps."""

    @property
    def complete(self) -> bool:
        """Every subtask has been solved."""
        return self.solved == len(self._chain.subtasks)

    @property
    def subtask(self) -> str:
        """What is to be done now; the last one after the end."""
        return self._chain.subtasks[min(self.solved, len(self._chain.subtasks) - 1)]

    @property
    def instruction(self) -> str:
        """The sentence that says so."""
        return self._chain.instructions[min(self.solved, len(self._chain.subtasks) - 1)]

    def watch(self, now: Snapshot) -> bool:
        """Take in one environment step; True if it solved the present subtask."""
        self._steps += 1
        if PREDICATES[self.subtask](self._start, now):
            self.solved += 1
            self._steps = 0
            self._start = now
            return True
        self.failed = self._steps >= self._chain.steps_per_subtask
        return False

    @property
    def stages(self) -> Mapping[str, bool]:
        """`solved_k`: at least k subtasks were solved."""
        return {name: self.solved > index for index, name in enumerate(STAGES)}

    @property
    def measures(self) -> Mapping[str, float | None]:
        """Subtasks solved; and each subtask: 1 solved, 0 attempted, None not attempted."""
        found: dict[str, float | None] = {SOLVED: float(self.solved), **dict.fromkeys(TASKS)}
        for index, task in enumerate(self._chain.subtasks[: self.solved + 1]):
            found[task] = float(index < self.solved)
        return found


class CalvinSimulator:
    """One robot at one play table."""

    def __init__(self, options: CalvinOptions) -> None:
        """Find the data and open an empty world; each reset builds what stands in it."""
        self._absolute = options.control == "absolute"
        self._data = locate("calvin", "data")
        self._renderer = choose(options.renderer)
        # Whoever only reads the state needs no OpenGL, nor its half gigabyte.
        self._bullet = open_world("tiny")
        self._draws = self._renderer == "tiny"
        self._world: PlayTable | None = None
        self._done = False

    def reset(self, episode: Episode) -> None:
        """A new world, as the episode's manifest describes it."""
        chain = ChainSetup.parse(episode)
        self._world = PlayTable(scene(chain.scene), self._data, self._bullet)
        self._world.reset(chain.robot_obs, chain.scene_obs)
        self._now = self._world.snapshot()
        self._attempt = Attempt(chain, self._now)
        self._chain = chain
        self._step = 0
        self._actions: list[Floats] = []
        self._done = False

    def advance(self, action: Floats) -> Progress:
        """One control step of 1/30 s.

        The gripper closes at 0 and below. Nothing else is clipped, as upstream clips nothing. The
        episode is over when the chain is complete, or cut off when a subtask has had its steps.
        """
        if self._world is None or self._done:
            raise ResetNeeded("The episode has not begun, or has ended; call reset.")
        action = np.array(action, np.float64)
        action[6] = 1.0 if action[6] > 0 else -1.0
        self._move(self._world, action)
        self._step += 1
        if not self._draws:
            self._actions.append(action)
        self._now = self._world.snapshot()
        attempt = self._attempt
        solved = attempt.watch(self._now)
        self._done = attempt.complete or attempt.failed
        return Progress(
            success=attempt.complete,
            terminated=attempt.complete,
            truncated=attempt.failed,
            stages=attempt.stages,
            measures=attempt.measures,
            instruction_changed=solved and not attempt.complete,
        )

    def observe(self, request: ObservationRequest) -> Observation:
        """Render and read what is asked for. Neither changes the physics."""
        if self._world is None:
            raise ResetNeeded("The episode has not begun; call reset.")
        world = self._drawn(self._world) if request.cameras else self._world
        return Observation(
            instruction=self._attempt.instruction,
            step=self._step,
            images={c.name: picture(world, c.name)[None] for c in request.cameras},
            proprio=world.robot_obs() if request.proprio else None,
            privileged=self._privileged(world, self._now) if request.privileged else {},
        )

    def close(self) -> None:
        """Give the world back."""
        self._world = None
        if self._bullet.isConnected():
            self._bullet.disconnect()

    def _move(self, world: PlayTable, action: Floats) -> None:
        (world.step_abs if self._absolute else world.step_rel)(action)

    def _drawn(self, world: PlayTable) -> PlayTable:
        """The world where it can be drawn.

        A renderer only draws what was loaded after it. With the first picture, then, the episode so
        far is repeated, to the same bits, in a world that has the wanted renderer.
        """
        if self._draws:
            return world
        self._bullet.disconnect()
        self._bullet = open_world(self._renderer)
        self._draws = True
        self._world = PlayTable(world.scene, self._data, self._bullet)
        self._world.reset(self._chain.robot_obs, self._chain.scene_obs)
        for action in self._actions:
            self._move(self._world, action)
        return self._world

    def _privileged(self, world: PlayTable, now: Snapshot) -> dict[str, Floats]:
        """What experts may see.

        CALVIN's two observations, the commanded pose (6,), the subtask's index in
        `oracle.TASKS` (1,), and for each block, in the scene's order, whether the robot touches it
        (3,) and its half extents in metres (3, 3).
        """
        blocks = world.scene.blocks
        touched = [float(now.blocks[block.name].uid in now.touched) for block in blocks]
        return {
            "robot_obs": world.robot_obs(),
            "scene_obs": world.scene_obs(),
            "target": np.concatenate([world.robot.target_position, world.robot.target_euler]),
            "task": np.array([float(TASKS.index(self._attempt.subtask))]),
            "touched": np.array(touched),
            "half_extents": np.array([block.half_extents for block in blocks]),
        }
