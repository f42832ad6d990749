"""How the harness knows the Google Robot tasks without importing SAPIEN."""

from __future__ import annotations

from collections.abc import Mapping

from vlm4vla.core.conventions import named
from vlm4vla.core.options import read
from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.core.specs import CameraSpec, ObservationSpec, SimulatorSpec
from vlm4vla.simulators.machine import installed
from vlm4vla.simulators.simpler.google import words
from vlm4vla.simulators.simpler.google.words import GoogleOptions


class SimplerGoogle(SimulatorPlugin):
    """SimplerEnv's Google Robot tasks."""

    name = "simpler_google"
    summary = "SimplerEnv's Google Robot: coke can, move near, drawers, apple (SAPIEN 3)"
    memory_limit_mb = 4000
    slot_memory_mb = 1100

    def describe(self, options: Options) -> SimulatorSpec:
        """Upstream's controller: 3 Hz, deltas on the measured pose, +1 closes the gripper."""
        read(GoogleOptions, options, self.name)
        return SimulatorSpec(
            simulator=self.name,
            action=named("simpler_google"),
            observation=ObservationSpec(
                cameras=(
                    CameraSpec(words.CAMERA, words.HEIGHT, words.WIDTH, False, role="third_person"),
                ),
                proprio=words.PROPRIO,
                privileged=words.PRIVILEGED,
            ),
            max_steps=words.MAX_STEPS,
            stages=words.STAGES,
            measures=words.MEASURES,
        )

    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        """Packages, upstream's files and, for pictures, the renderer."""
        chosen = read(GoogleOptions, options, self.name)
        facts = {
            "simulator": self.name,
            "sapien": _package("sapien"),
            "ruckig": _package("ruckig"),
            "physics": "physx cpu",
            "assets": "ManiSkill2_real2sim@ef7a4d4",
            "option.variant": chosen.variant,
        }
        from vlm4vla.simulators.simpler.google.files import GoogleFiles

        facts |= GoogleFiles().facts(chosen.variant)
        if rendering:
            from vlm4vla.simulators import sapien_renderer

            facts["shader"] = "default"
            facts["renderer"] = sapien_renderer.require()
        return facts

    def create(self, options: Options) -> Simulator:
        """Build the world."""
        read(GoogleOptions, options, self.name)
        from vlm4vla.simulators.simpler.google.simulator import GoogleSimulator

        return GoogleSimulator()

    def open_renderer(self) -> str:
        """SAPIEN's renderer, as for the policy's camera."""
        _package("sapien")
        from vlm4vla.simulators import sapien_renderer

        return sapien_renderer.require()

    def experts(self) -> Mapping[str, str]:
        """The scripted policy."""
        return {"expert": "vlm4vla.simulators.simpler.google.expert:GoogleExpert"}


def _package(name: str) -> str:
    return installed(name, "SimplerEnv's Google Robot", "simpler")
