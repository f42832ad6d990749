"""How the harness knows LIBERO without importing MuJoCo."""

from __future__ import annotations

from collections.abc import Mapping

from vlm4vla.core.conventions import named
from vlm4vla.core.options import read
from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.core.specs import CameraSpec, ObservationSpec, SimulatorSpec
from vlm4vla.simulators.libero.options import LiberoOptions
from vlm4vla.simulators.libero.words import CAMERAS, CROPPED, GOALS, MAX_STEPS, PRIVILEGED, PROPRIO


class Libero(SimulatorPlugin):
    """LIBERO's tasks."""

    name = "libero"
    summary = "LIBERO's 130 tasks, and LIBERO-PRO's perturbed ones (MuJoCo; Panda)"
    timeout_s = 300.0
    memory_limit_mb = 4500
    slot_memory_mb = 2600

    def describe(self, options: Options) -> SimulatorSpec:
        """20 Hz; OSC_POSE: deltas on the measured pose in 0.05 m and 0.5 rad, as a vector."""
        chosen = read(LiberoOptions, options, self.name)
        side = CROPPED if chosen.view == "crop" else chosen.size
        third, wrist = CAMERAS
        return SimulatorSpec(
            simulator=self.name,
            action=named("libero"),
            observation=ObservationSpec(
                cameras=(
                    CameraSpec(third, side, side, role="third_person"),
                    CameraSpec(wrist, side, side, role="wrist"),
                ),
                proprio=PROPRIO,
                privileged=PRIVILEGED,
            ),
            max_steps=MAX_STEPS,
            measures=(GOALS,),
        )

    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        """The packages' versions and, for pictures, the renderer."""
        from vlm4vla.simulators.libero import engine

        chosen = read(LiberoOptions, options, self.name)
        facts = {"simulator": self.name, **engine.versions(chosen.mujoco)}
        for option in ("seeding", "settle", "control"):
            facts[option] = str(getattr(chosen, option))
        if rendering:
            facts["renderer"] = engine.open_renderer(chosen.renderer)
            facts["pictures"] = f"{chosen.size} {chosen.view}"
        return facts

    def create(self, options: Options) -> Simulator:
        """An empty world; each task is loaded when its first episode comes."""
        chosen = read(LiberoOptions, options, self.name)
        from vlm4vla.simulators.libero import engine

        engine.load(chosen.renderer)
        from vlm4vla.simulators.libero.simulator import LiberoSimulator

        return LiberoSimulator(chosen)

    def open_renderer(self) -> str:
        """The renderer that is used by default here."""
        from vlm4vla.simulators.libero import engine

        engine.versions("")
        return engine.open_renderer("auto")

    def experts(self) -> Mapping[str, str]:
        """The scripted policy."""
        return {"expert": "vlm4vla.simulators.libero.expert:LiberoExpert"}
