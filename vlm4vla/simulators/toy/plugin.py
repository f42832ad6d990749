"""The toy as the harness knows it: conventions, options, faults."""

from __future__ import annotations

from collections.abc import Mapping

from vlm4vla.core.options import read
from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.core.specs import (
    ActionSpec,
    CameraSpec,
    ObservationSpec,
    SimulatorSpec,
    opening,
    position,
)
from vlm4vla.simulators.toy.world import FaultyWorld, ToyOptions


class Toy(SimulatorPlugin):
    """A gripper carries a puck to a pad: numpy only, ten microseconds a step."""

    name = "toy"
    summary = "a numpy world for first runs and for testing the engine (no install)"
    timeout_s = 30.0
    slot_memory_mb = 80

    def describe(self, options: Options) -> SimulatorSpec:
        """Seven-number actions like every arm here; the rotation is accepted and ignored."""
        read(ToyOptions, options, self.name)
        return SimulatorSpec(
            simulator=self.name,
            action=ActionSpec(
                translation_scale=(0.05, 0.05, 0.05), rotation_scale=(0.1, 0.1, 0.1), control_hz=10
            ),
            observation=ObservationSpec(
                cameras=(CameraSpec("top", 256, 256, role="third_person"),),
                proprio=(position("base"), opening(1.0)),
                privileged=("tcp", "puck", "pad", "held"),
            ),
            max_steps=60,
            stages=("reached", "grasped", "lifted", "placed"),
            measures=("distance",),
        )

    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        """Nothing can be missing. A pretended cost changes no outcome, so it does not count."""
        read(ToyOptions, options, self.name)
        return {"engine": "toy 1"} | ({"renderer": "numpy"} if rendering else {})

    def create(self, options: Options) -> Simulator:
        """The world, faults armed."""
        return FaultyWorld(read(ToyOptions, options, self.name))

    def experts(self) -> Mapping[str, str]:
        """The scripted solution."""
        return {"expert": "vlm4vla.simulators.toy.expert:ToyExpert"}
