"""How the harness knows SimplerEnv's Bridge tasks without importing SAPIEN."""

from __future__ import annotations

from collections.abc import Mapping

from vlm4vla.core.conventions import named
from vlm4vla.core.options import read
from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.core.specs import CameraSpec, ObservationSpec, SimulatorSpec
from vlm4vla.simulators.machine import installed
from vlm4vla.simulators.simpler.bridge import words
from vlm4vla.simulators.simpler.bridge.words import BridgeOptions


class Bridge(SimulatorPlugin):
    """SimplerEnv's Bridge tasks."""

    name = "simpler_bridge"
    summary = "SimplerEnv's four WidowX tasks with the official protocol (SAPIEN 3)"
    timeout_s = 180.0
    memory_limit_mb = 3000
    slot_memory_mb = 900

    def describe(self, options: Options) -> SimulatorSpec:
        """5 Hz; metres and a rotation vector on the commanded pose, turned about the hand."""
        read(BridgeOptions, options, self.name)
        return SimulatorSpec(
            simulator=self.name,
            action=named("simpler_bridge"),
            observation=ObservationSpec(
                cameras=(
                    CameraSpec(
                        words.CAMERA, words.HEIGHT, words.WIDTH, resizable=False,
                        role="third_person",
                    ),
                ),
                proprio=words.PROPRIO,
                privileged=words.PRIVILEGED,
            ),
            max_steps=words.MAX_STEPS,
            stages=words.STAGES,
        )  # fmt: skip

    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        """Packages, every file's origin and, for pictures, the renderer."""
        read(BridgeOptions, options, self.name)
        facts = {"simulator": self.name, "sapien": _sapien(), "physics": "physx cpu"}
        from vlm4vla.simulators.simpler.bridge import world

        world.robot_urdf()
        facts |= {"assets": "ManiSkill2_real2sim@ef7a4d4", **world.held_files().facts()}
        if rendering:
            from vlm4vla.simulators import sapien_renderer

            facts |= {"shader": "default", "renderer": sapien_renderer.require()}
        return facts

    def create(self, options: Options) -> Simulator:
        """Build the world."""
        read(BridgeOptions, options, self.name)
        from vlm4vla.simulators.simpler.bridge.simulator import BridgeSimulator

        return BridgeSimulator()

    def open_renderer(self) -> str:
        """SAPIEN's renderer, as for the policy's camera."""
        _sapien()
        from vlm4vla.simulators import sapien_renderer

        return sapien_renderer.require()

    def experts(self) -> Mapping[str, str]:
        """The scripted policy."""
        return {"expert": "vlm4vla.simulators.simpler.bridge.expert:BridgeExpert"}


def _sapien() -> str:
    return installed("sapien", "SimplerEnv", "simpler")
