"""What the Google Robot tasks look like: camera, lights, floor, photographs."""

from __future__ import annotations

from vlm4vla.simulators.simpler.google.cabinet import CABINET
from vlm4vla.simulators.simpler.google.files import GoogleFiles
from vlm4vla.simulators.simpler.google.words import HEIGHT, WIDTH, GoogleSetup
from vlm4vla.simulators.simpler.google.world import STAGE, stage_within
from vlm4vla.simulators.simpler.view import Lens, Light, Lighting, OverlaidView

LENS = Lens(WIDTH, HEIGHT, 425.0, 425.0, 320.0, 256.0)
FLOOR = (10.0, 10.0, 0.017)
"""Half size of upstream's white floor, metres."""


def _grey(value: float) -> tuple[float, float, float]:
    return value, value, value


def _table(above: float, sides: float) -> Lighting:
    directions = ((0, 0, -1), (-1, -0.5, -1), (1, 1, -1))
    values = (above, sides, sides)
    lights = (Light(d, _grey(v)) for d, v in zip(directions, values, strict=True))
    return Lighting(_grey(0.3), tuple(lights))


def _drawers(front: float) -> Lighting:
    sides = (Light((-1, 1, -0.05), _grey(0.5)), Light((-1, -1, -0.05), _grey(0.5)))
    return Lighting(_grey(0.3), (Light((-0.2, 0, -1), _grey(front), shadow=True), *sides))


_STEEP = (-0.25881904510252074, 0.0, -0.9659258262890683)
"""75 degrees down."""
LIGHTS = {
    ("table", "default"): _table(2.2, 0.7),
    ("table", "slightly_brighter"): _table(3.6, 1.3),
    ("table", "slightly_darker"): Lighting(
        _grey(0.3), (Light((1, 1, -1), _grey(0.8)), Light((0, 0, -1), _grey(0.8)))
    ),
    ("cabinet", "simple"): Lighting(_grey(1.0), (Light(_STEEP, _grey(1.0)),)),
    ("cabinet", "default"): _drawers(1.0),
    ("cabinet", "brighter"): _drawers(2.0),
    ("cabinet", "darker"): _drawers(0.5),
}
"""Upstream's `_setup_lighting` of either kind of scene."""


def view_of(setup: GoogleSetup, files: GoogleFiles) -> OverlaidView:
    """What episodes of this setup are seen with. Raises MissingAsset, RendererUnavailable."""
    lighting = LIGHTS["cabinet" if setup.drawer else "table", setup.light]
    view = OverlaidView(LENS, lighting, files.photo(setup.photo) if setup.photo else None)
    view.add_articulation(files.robot(setup.colour), shiny=setup.shiny)
    for model in setup.models:
        view.add_model(model, files.looks(model), emission=True)
    if setup.drawer:
        view.add_articulation(files.cabinet(setup.station), prefix=CABINET)
    if setup.stage == "dummy_drawer":
        view.add_box("stage", FLOOR, STAGE)
    else:
        mesh, within = files.stage(setup.stage), stage_within(setup.stage)
        view.add_model("stage", mesh, within, STAGE, foreground=False)
    return view
