"""Physics, drawing and faults of the toy, and how it is set up."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import BadInput, ResetNeeded, SimulatorFault
from vlm4vla.core.options import Bounds
from vlm4vla.core.simulator import Floats, Frames, Observation, Progress
from vlm4vla.core.specs import ObservationRequest

_STEP = 0.05  # metres per unit action
_LOW, _HIGH = np.array([-0.5, -0.5, 0.0]), np.array([0.5, 0.5, 0.3])
_REACH = 0.03  # a closing gripper this near the puck holds it
_PAD = 0.06  # radius of the pad
_TREMBLE = 0.002  # standard deviation of the motion noise, metres


@dataclass(frozen=True)
class ToyOptions:
    """The world's faults and its pace."""

    fault: Literal["none", "raise-once", "raise", "hang", "exit", "leak"] = "none"
    fault_inits: str = ""
    """The inits that fail, e.g. `3,7`."""
    fault_memory: str = ""
    """Folder in which `raise-once` remembers across processes."""
    step_ms: Annotated[float, Bounds(0, 60_000)] = 0.0
    """What one step pretends to cost."""

    def __post_init__(self) -> None:
        """Refuse inits that are no numbers, and a folder that is not there. Raises BadInput."""
        inits = self.fault_inits
        if inits and not all(part.strip().isdigit() for part in inits.split(",")):
            raise BadInput(f"fault_inits '{inits}' is not a list of numbers like 3,7.")
        if self.fault_memory and not Path(self.fault_memory).is_dir():
            raise BadInput(
                f"fault_memory '{self.fault_memory}' is not a folder.",
                f"mkdir -p {self.fault_memory}",
            )


class World:
    """Table, puck, pad and a gripper that moves in straight lines with a slight tremble."""

    def __init__(self) -> None:
        """Nothing is on the table before `reset`."""
        self._episode: Episode | None = None

    def reset(self, episode: Episode) -> None:
        """Place puck and pad; the tremble is drawn from the episode's own seed."""
        setup = episode.setup
        self._episode = episode
        self._rng = np.random.default_rng(episode.key.entropy)
        self._tcp = np.array([0.0, 0.0, 0.2])
        self._puck = np.append(np.array(setup["puck"], np.float64), 0.0)
        self._pad = np.append(np.array(setup["pad"], np.float64), 0.0)
        self._opening, self._held, self._steps = 1.0, False, 0
        self._stages = dict.fromkeys(("reached", "grasped", "lifted", "placed"), False)

    def advance(self, action: Floats) -> Progress:
        """Move, close or open, carry or drop."""
        episode = self._running()
        motion = np.clip(action, -1.0, 1.0)
        tremble = self._rng.normal(0.0, _TREMBLE, 3)
        self._tcp = np.clip(self._tcp + _STEP * motion[:3] + tremble, _LOW, _HIGH)
        self._opening = 1.0 if motion[-1] > 0 else 0.0
        near = bool(np.linalg.norm(self._tcp - self._puck) < _REACH)
        self._held = self._opening == 0.0 and (self._held or near)
        if self._held:
            self._puck = self._tcp.copy()
        else:
            self._puck[2] = 0.0
        self._steps += 1
        distance = float(np.linalg.norm(self._puck[:2] - self._pad[:2]))
        success = self._stages["grasped"] and not self._held and distance < _PAD
        for stage, reached in (
            ("reached", near),
            ("grasped", self._held),
            ("lifted", self._held and self._puck[2] > 0.05),
            ("placed", success),
        ):
            self._stages[stage] |= bool(reached)
        return Progress(
            success=success,
            terminated=success,
            truncated=self._steps >= episode.max_steps,
            stages=dict(self._stages),
            measures={"distance": distance},
        )

    def observe(self, request: ObservationRequest) -> Observation:
        """Draw the table from above, and tell an expert everything."""
        episode = self._running()
        images = {
            camera.name: self._draw(camera.height or 256, camera.width or 256)[None]
            for camera in request.cameras
        }
        state = np.array([*self._tcp, self._opening])
        truth = {
            "tcp": self._tcp.copy(),
            "puck": self._puck.copy(),
            "pad": self._pad.copy(),
            "held": np.array([float(self._held)]),
        }
        return Observation(
            episode.instruction,
            self._steps,
            images,
            state if request.proprio else None,
            truth if request.privileged else {},
        )

    def close(self) -> None:
        """Nothing to give back."""

    def _running(self) -> Episode:
        if self._episode is None:
            raise ResetNeeded("The toy has no episode yet.", "Call reset(episode) first.")
        return self._episode

    def _draw(self, height: int, width: int) -> Frames:
        """(H, W, 3) uint8; x grows to the right, y upwards."""
        y, x = np.mgrid[0.5 : -0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
        frame = np.full((height, width, 3), (206, 190, 164), np.uint8)

        def disc(centre: Floats, radius: float, colour: tuple[int, int, int]) -> None:
            frame[np.hypot(x - centre[0], y - centre[1]) < radius] = colour

        disc(self._pad, _PAD, (60, 120, 180))
        disc(self._puck, 0.03, (200, 70, 50))
        disc(self._tcp, 0.015 + 0.01 * self._opening, (40, 40, 40))
        return frame


class FaultyWorld(World):
    """The world with the faults of the plugin's options switched on."""

    def __init__(self, options: ToyOptions) -> None:
        """The plugin's options."""
        super().__init__()
        self._fault = options.fault
        self._inits = {int(part) for part in options.fault_inits.split(",") if part.strip()}
        self._memory = Path(options.fault_memory or ".")
        self._pause_s = options.step_ms / 1000
        self._hoard: list[bytearray] = []

    def advance(self, action: Floats) -> Progress:
        """Advance, or fail at the episode's third step (a leak goes on from there)."""
        episode = self._running()
        if self._pause_s:
            time.sleep(self._pause_s)
        due = self._steps == 2 or (self._steps > 2 and self._fault == "leak")
        if due and episode.key.init in self._inits:
            self._fail(episode)
        return super().advance(action)

    def _fail(self, episode: Episode) -> None:
        if self._fault == "raise":
            raise SimulatorFault("The toy was told to raise.")
        if self._fault == "raise-once":
            mark = self._memory / f"raised-{episode.key.task}-{episode.key.init}"
            if not mark.exists():
                mark.touch()
                raise SimulatorFault("The toy was told to raise once.")
        if self._fault == "hang":
            time.sleep(3600)
        if self._fault == "exit":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault == "leak":
            self._hoard.append(bytearray(os.urandom(1024) * 65536))  # 64 MiB, really touched
