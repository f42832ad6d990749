"""How the harness knows CALVIN without importing pybullet."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

from vlm4vla.core.assets import locate, sha256
from vlm4vla.core.conventions import CONVENTIONS
from vlm4vla.core.environment import load_environment
from vlm4vla.core.errors import InvalidFile
from vlm4vla.core.options import read
from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.core.specs import ActionSpec, CameraSpec, ObservationSpec, SimulatorSpec
from vlm4vla.simulators.calvin import words
from vlm4vla.simulators.calvin.oracle import TASKS
from vlm4vla.simulators.calvin.words import GRIPPER_SIZE, STATIC_SIZE, CalvinOptions
from vlm4vla.simulators.machine import installed

_CAMERAS = (
    CameraSpec(words.STATIC, STATIC_SIZE, STATIC_SIZE, resizable=False, role="third_person"),
    CameraSpec(words.GRIPPER, GRIPPER_SIZE, GRIPPER_SIZE, resizable=False, role="wrist"),
)
_RELATIVE = CONVENTIONS["calvin"]
_ABSOLUTE = ActionSpec(
    control="absolute",
    frame="world",
    rotation="euler_xyz",
    gripper=_RELATIVE.gripper,
    low=-math.pi,
    high=math.pi,
    control_hz=30.0,
)


class Calvin(SimulatorPlugin):
    """CALVIN's play table."""

    name = "calvin"
    summary = "Chains of five subtasks at CALVIN's play table (pybullet; Panda)"
    timeout_s = 120.0
    memory_limit_mb = 1500
    slot_memory_mb = 400

    def describe(self, options: Options) -> SimulatorSpec:
        """30 Hz; deltas on the commanded pose in 0.02 m and 0.05 rad, or absolute poses."""
        chosen = read(CalvinOptions, options, self.name)
        return SimulatorSpec(
            simulator=self.name,
            action=_ABSOLUTE if chosen.control == "absolute" else _RELATIVE,
            observation=ObservationSpec(
                cameras=_CAMERAS if chosen.cameras == "static+gripper" else _CAMERAS[:1],
                proprio=words.PROPRIO,
                privileged=words.PRIVILEGED,
            ),
            max_steps=words.MAX_STEPS,
            stages=words.STAGES,
            measures=(words.SOLVED, *TASKS),
        )

    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        """The package, CALVIN's files and, for pictures, the renderer."""
        chosen = read(CalvinOptions, options, self.name)
        facts = {
            "simulator": self.name,
            "pybullet": _pybullet(),
            "data": _data(),
            "control": chosen.control,
            "annotations": _annotations(chosen.annotations),
        }
        if rendering:
            from vlm4vla.simulators.calvin import renderer

            facts["renderer"] = renderer.describe(renderer.choose(chosen.renderer))
        return facts

    def create(self, options: Options) -> Simulator:
        """Build the world."""
        from vlm4vla.simulators.calvin.simulator import CalvinSimulator

        return CalvinSimulator(read(CalvinOptions, options, self.name))

    def open_renderer(self) -> str:
        """The renderer that is used by default here, and what else could be."""
        _pybullet()
        from vlm4vla.simulators.calvin import renderer

        if renderer.choose("auto") == "egl":
            return renderer.describe("egl")
        found = renderer.probe()
        other = f"fails: {found.problem}" if found.problem else f"works on {found.device}"
        return f"{renderer.describe('tiny')} (--set renderer=egl {other})"

    def experts(self) -> Mapping[str, str]:
        """The scripted policy."""
        return {"expert": "vlm4vla.simulators.calvin.expert:CalvinExpert"}


def _data() -> str:
    """What identifies the data files, each of them checked."""
    locate("calvin", "data")
    files = load_environment("calvin").asset("data").files
    digest = hashlib.sha256("".join(f"{k}{v}" for k, v in sorted(files.items())).encode())
    return f"mees/calvin_env@797142c sha256 {digest.hexdigest()[:12]}"


def _annotations(source: str) -> str:
    if source == "validation":
        path = locate("calvin", "annotations") / "new_playtable_validation.yaml"
    else:
        path = Path(source).expanduser()
        if not path.is_file():
            raise InvalidFile(
                f"There are no annotations at {path}.",
                "Name a YAML file `subtask: [sentence, ...]`, or set annotations: validation.",
            )
    return f"{path.name} sha256 {sha256(path)[:12]}"


def _pybullet() -> str:
    return installed("pybullet", "CALVIN", "calvin")
