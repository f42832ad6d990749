"""The Google Robot tasks behind the simulator contract."""

from __future__ import annotations

from dataclasses import replace

from vlm4vla.core.episode import Episode
from vlm4vla.core.formats import read_fields
from vlm4vla.simulators.simpler.google.files import GoogleFiles
from vlm4vla.simulators.simpler.google.looks import view_of
from vlm4vla.simulators.simpler.google.words import GoogleSetup
from vlm4vla.simulators.simpler.google.world import GoogleWorld
from vlm4vla.simulators.simpler.simulator import SceneSimulator
from vlm4vla.simulators.simpler.view import OverlaidView


class GoogleSimulator(SceneSimulator):
    """Plays the five tasks."""

    def __init__(self) -> None:
        """Raises MissingAsset where there are no files at all."""
        super().__init__()
        self._files = GoogleFiles()

    def build(self, episode: Episode) -> GoogleWorld:
        """A new scene, settled."""
        self._world = GoogleWorld(_setup(episode), self._files)
        return self._world

    def move_on(self) -> None:
        """The policy says that it has carried out its instruction."""
        self._world.move_on()

    def look(self, episode: Episode) -> GoogleSetup:
        """The setup without places, and without which drawer it is about."""
        setup = _setup(episode)
        return replace(
            setup,
            rule="pick", x=0.0, y=0.0, yaw=0.0, instructions=(), setting="", scored=True, xy=(),
            quats=(), distractors=0, source=0, target=0, drawer=setup.drawer and "top",
            arm=(), head_tilt=None, models=tuple(sorted(setup.models)),
        )  # fmt: skip

    def build_view(self, episode: Episode) -> OverlaidView:
        """Raises MissingAsset, RendererUnavailable."""
        return view_of(_setup(episode), self._files)


def _setup(episode: Episode) -> GoogleSetup:
    return read_fields(GoogleSetup, episode.setup, f"episode {episode.key}")
