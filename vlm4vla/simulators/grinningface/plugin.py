"""How the harness knows the emoji task without importing SAPIEN."""

from __future__ import annotations

from collections.abc import Mapping

from vlm4vla.core.assets import locate, sha256
from vlm4vla.core.comparability import STAND_IN
from vlm4vla.core.options import read
from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.core.specs import ActionSpec, CameraSpec, Gripper, ObservationSpec, SimulatorSpec
from vlm4vla.simulators.grinningface import words
from vlm4vla.simulators.grinningface.words import GrinningFaceOptions
from vlm4vla.simulators.machine import installed


class GrinningFace(SimulatorPlugin):
    """The GrinningFace emoji task."""

    name = "grinningface"
    summary = "Put the cube on the card with the named emoji (SAPIEN 3; WidowX or Panda)"
    timeout_s = 120.0
    memory_limit_mb = 3000
    slot_memory_mb = 700

    def describe(self, options: Options) -> SimulatorSpec:
        """ManiSkill3's `pd_ee_target_delta_pose`: 20 Hz, deltas on the commanded target."""
        chosen = read(GrinningFaceOptions, options, self.name)
        size = words.CAMERA_SIZE
        return SimulatorSpec(
            simulator=self.name,
            action=ActionSpec(
                control="delta",
                reference="target",
                frame="base",
                translation_scale=(0.1, 0.1, 0.1),
                rotation="euler_XYZ",
                rotation_scale=(-0.1, -0.1, -0.1),  # ManiSkill3 inverts the sign
                gripper=Gripper(open=1.0, closed=0.0 if chosen.gripper == "paper" else -1.0),
                control_hz=20.0,
            ),
            observation=ObservationSpec(
                cameras=(CameraSpec(words.CAMERA, size, size, role="third_person"),),
                proprio=words.PAPER_PROPRIO if chosen.proprio == "paper" else words.PROPRIO,
                privileged=words.PRIVILEGED,
            ),
            max_steps=words.MAX_STEPS,
            stages=words.STAGES,
            measures=words.MEASURES,
        )

    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        """Packages, robot model and, for pictures, art and renderer."""
        chosen = read(GrinningFaceOptions, options, self.name)
        facts = {
            "simulator": self.name,
            "sapien": _package("sapien"),
            "mani_skill": _package("mani-skill"),
            "physics": "physx cpu",
            **{f"option.{name}": value for name, value in vars(chosen).items() if name != "art"},
        }
        from vlm4vla.simulators.grinningface.robots import ROBOTS, urdf

        facts["robot"] = f"{chosen.robot} urdf sha256 {sha256(urdf(ROBOTS[chosen.robot]))[:12]}"
        if chosen.labels == "paligemma":
            labels = locate("grinningface", "paligemma_labels") / "meta_relabel_dedup_all.json"
            facts["labels"] = f"paligemma sha256 {sha256(labels)[:12]}"
        if chosen.robot != GrinningFaceOptions.robot:
            facts[f"{STAND_IN}.robot"] = f"{chosen.robot} for {GrinningFaceOptions.robot}"
        if rendering:
            from vlm4vla.simulators import sapien_renderer
            from vlm4vla.simulators.grinningface import art

            facts["art"] = art.version(chosen.art)
            # Nobody may publish Apple's, so that no digest tells whether a folder holds them.
            own = chosen.art == GrinningFaceOptions.art
            pictures = "Noto Color Emoji" if own else "a folder of unchecked pictures"
            facts[f"{STAND_IN}.art"] = f"{pictures} for Apple's"
            facts["shader"] = "default"
            facts[f"{STAND_IN}.shader"] = "SAPIEN's default for ray tracing"
            facts["renderer"] = sapien_renderer.require()
        return facts

    def create(self, options: Options) -> Simulator:
        """Build the world."""
        from vlm4vla.simulators.grinningface.simulator import GrinningFaceSimulator

        return GrinningFaceSimulator(read(GrinningFaceOptions, options, self.name))

    def open_renderer(self) -> str:
        """SAPIEN's renderer, as for the policy's camera."""
        _package("sapien")
        from vlm4vla.simulators import sapien_renderer

        return sapien_renderer.require()

    def experts(self) -> Mapping[str, str]:
        """The scripted policy and its blind twin."""
        module = "vlm4vla.simulators.grinningface.expert"
        return {"expert": f"{module}:Expert", "expert-blind": f"{module}:BlindExpert"}


def _package(name: str) -> str:
    return installed(name, "The GrinningFace task", "emoji")
