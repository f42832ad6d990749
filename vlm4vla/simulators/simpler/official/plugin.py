"""How the harness knows upstream's SimplerEnv without importing SAPIEN 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vlm4vla.core.options import read
from vlm4vla.core.simulator import Options, Simulator, SimulatorPlugin
from vlm4vla.core.specs import SimulatorSpec
from vlm4vla.simulators.simpler.bridge.plugin import Bridge
from vlm4vla.simulators.simpler.google.plugin import SimplerGoogle
from vlm4vla.simulators.simpler.official.options import (
    ENVIRONMENT,
    PRIVILEGED,
    OfficialOptions,
)


class SimplerOfficial(SimulatorPlugin):
    """SimplerEnv's own packages."""

    name = ENVIRONMENT
    summary = "SimplerEnv itself: the original packages on SAPIEN 2.2.2, WidowX and Google Robot"
    timeout_s = 600.0
    memory_limit_mb = 6000
    slot_memory_mb = 1500

    def describe(self, options: Options) -> SimulatorSpec:
        """The re-hosts' conventions: they have them from here."""
        chosen = read(OfficialOptions, options, self.name)
        rehost = SimplerGoogle() if chosen.robot == "google" else Bridge()
        spec = rehost.describe({})
        observation = replace(spec.observation, privileged=PRIVILEGED)
        return replace(spec, simulator=self.name, observation=observation)

    def preflight(self, options: Options, rendering: bool) -> Mapping[str, str]:
        """Packages, repositories, every data file's origin and, for pictures, the renderer."""
        from vlm4vla.simulators.simpler.official import files, upstream

        chosen = read(OfficialOptions, options, self.name)
        facts = {"simulator": self.name, **upstream.versions(), "physics": "physx cpu"}
        facts |= {"packages": "SimplerEnv@4ab7178", "assets": "ManiSkill2_real2sim@ef7a4d4"}
        files.checkouts()
        facts |= files.facts(chosen)
        if chosen.robot == "google":
            facts["option.variant"] = chosen.variant
        if rendering:
            traced = chosen.robot == "google" and chosen.shader == "upstream"
            facts["renderer"] = upstream.require_renderer(traced)
            facts["shader"] = "ibl, rt for drawers" if traced else "ibl"
        return facts

    def create(self, options: Options) -> Simulator:
        """Import upstream."""
        chosen = read(OfficialOptions, options, self.name)
        from vlm4vla.simulators.simpler.official.simulator import OfficialSimulator

        return OfficialSimulator(chosen)

    def open_renderer(self) -> str:
        """SAPIEN 2's, without ray tracing."""
        from vlm4vla.simulators.simpler.official import upstream

        upstream.versions()
        return upstream.require_renderer(False)
