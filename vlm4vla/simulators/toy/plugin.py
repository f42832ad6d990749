"""The toy as the harness knows it: conventions, options, faults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vlm4vla.core.errors import BadInput, OutOfRange, UnknownName
from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.core.specs import (
    ActionSpec,
    CameraSpec,
    ObservationSpec,
    SimulatorSpec,
    opening,
    position,
)

FAULTS = ("none", "raise-once", "raise", "hang", "exit", "leak")

_DEFAULTS: Options = {
    "fault": "none",  # one of FAULTS
    "fault_inits": "",  # the inits that fail, e.g. "3,7"
    "fault_memory": "",  # folder in which raise-once remembers across processes
    "step_ms": 0.0,  # what one step pretends to cost
}


class Toy(SimulatorPlugin):
    """A gripper carries a puck to a pad: numpy only, ten microseconds a step."""

    name = "toy"
    summary = "a numpy world for first runs and for testing the engine (no install)"
    timeout_s = 30.0
    slot_memory_mb = 80

    def describe(self, options: Options) -> SimulatorSpec:
        """Seven-number actions like every arm here; the rotation is accepted and ignored."""
        _check(options)
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
        _check(options)
        return {"engine": "toy 1"} | ({"renderer": "numpy"} if rendering else {})

    def create(self, options: Options) -> Simulator:
        """The world, faults armed."""
        from vlm4vla.simulators.toy.world import FaultyWorld

        return FaultyWorld({**_DEFAULTS, **options})

    def experts(self) -> Mapping[str, str]:
        """The scripted solution."""
        return {"expert": "vlm4vla.simulators.toy.expert:ToyExpert"}


def _check(options: Options) -> None:
    for key in options:
        if key not in _DEFAULTS:
            raise UnknownName("option of simulator 'toy'", key, _DEFAULTS)
    pause = options.get("step_ms", 0.0)
    if isinstance(pause, bool) or not isinstance(pause, int | float) or not 0 <= pause <= 60_000:
        raise OutOfRange(f"step_ms {pause} is outside 0..60000.", "Write e.g. step_ms=12.")
    if options.get("fault", "none") not in FAULTS:
        raise UnknownName("toy fault", str(options["fault"]), FAULTS)
    inits = str(options.get("fault_inits", ""))
    if inits and not all(part.strip().isdigit() for part in inits.split(",")):
        raise BadInput(f"fault_inits '{inits}' is not a list of numbers like 3,7.")
    memory = str(options.get("fault_memory", ""))
    if memory and not Path(memory).is_dir():
        raise BadInput(f"fault_memory '{memory}' is not a folder.", f"mkdir -p {memory}")
