"""What upstream's evaluation scripts call for an episode: environment, arguments, reset options.

SimplerEnv@4ab7178: scripts/octo_bridge.sh and scripts/rt1_*.sh, evaluation/maniskill2_evaluator.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from vlm4vla.core.episode import Episode
from vlm4vla.core.errors import SimulatorFault
from vlm4vla.core.formats import read_fields
from vlm4vla.simulators.simpler.bridge import words as bridge
from vlm4vla.simulators.simpler.google import words as google
from vlm4vla.simulators.simpler.google.words import GoogleSetup

Value = str | float | bool | list[float]
Places = Sequence[Sequence[float]]


@dataclass(frozen=True)
class UpstreamCall:
    """One episode as upstream's evaluator makes it."""

    environment: str
    """The name under which upstream registers it."""
    robot: str
    scene: str
    hz: tuple[int, int]
    """Control steps and physics steps a second."""
    camera: str
    photo: str
    """What is laid over the background; empty: nothing."""
    x: float
    y: float
    yaw: float
    """Where the robot stands, metres and radians; upstream turns it by half a turn besides."""
    placing: Mapping[str, Value]
    """Upstream's `obj_init_options`."""
    arguments: Mapping[str, Value] = field(default_factory=dict)
    """Upstream's `--additional-env-build-kwargs`."""
    traced: bool = False
    """Upstream turns ray tracing on."""


_BRIDGE = {
    "spoon": "PutSpoonOnTableClothInScene-v0",
    "carrot": "PutCarrotOnPlateInScene-v0",
    "cube": "StackGreenCubeOnYellowCubeBakedTexInScene-v0",
    "eggplant": "PutEggplantInBasketScene-v0",
}
_GRID, _NEAR = 24, 60
"""Episodes of a Bridge task and of move near, which upstream numbers; the rest are repeats."""
_LAID = {"horizontal": "lr_switch", "vertical": "laid_vertically", "standing": "upright"}
_CAMERAS = {None: "", 0.9351361: "AltGoogleCamera", 0.6651361: "AltGoogleCamera2"}
"""Tilt of the head -> what upstream's environment with it has in its name."""
_LIGHTS = {
    "default": {},
    "slightly_darker": {"slightly_darker_lighting": True},
    "slightly_brighter": {"slightly_brighter_lighting": True},
}


def bridge_call(episode: Episode) -> UpstreamCall:
    """Of a Bridge task, whose 24 cells upstream numbers as the suite does.

    Raises SimulatorFault where upstream has no such episode.
    """
    if episode.key.task not in _BRIDGE or "arm" in episode.setup:
        raise SimulatorFault(f"Upstream has no {episode.key}: it plays its own grid alone.")
    sink = episode.key.task == "eggplant"
    return UpstreamCall(
        environment=_BRIDGE[episode.key.task],
        robot="widowx_sink_camera_setup" if sink else "widowx",
        scene="bridge_table_1_v2" if sink else "bridge_table_1_v1",
        hz=(bridge.CONTROL_HZ, 500),
        camera=bridge.CAMERA,
        photo="bridge_sink" if sink else "bridge_real_eval_1",
        x=0.127 if sink else 0.147,
        y=0.06 if sink else 0.028,
        yaw=0.0,
        placing={"episode_id": episode.key.init % _GRID},
    )


def google_setup(episode: Episode) -> GoogleSetup:
    """The episode in the words of the suites of `simpler_google`."""
    return read_fields(GoogleSetup, episode.setup, f"episode {episode.key}")


def google_call(episode: Episode) -> UpstreamCall:
    """Of a Google Robot task, in any of its settings."""
    setup = google_setup(episode)
    environment, arguments = _google_environment(setup)
    placing: dict[str, Value] = {"init_xy": [0.0, 0.0]}
    if setup.rule == "near":
        placing = {"episode_id": episode.key.init % _NEAR}
    elif setup.xy:
        placing = {"init_xy": list(setup.xy[0])}
    return UpstreamCall(
        environment=environment,
        robot="google_robot_static",
        scene=setup.stage,
        hz=(google.CONTROL_HZ, 513),
        camera=google.CAMERA,
        photo=setup.photo,
        x=setup.x,
        y=setup.y,
        yaw=setup.yaw,
        placing=placing,
        arguments={**arguments, "urdf_version": setup.colour},
        traced=bool(setup.drawer),
    )


def dropped_at(episode: Episode) -> Places:
    """Where the things are dropped that upstream places by its number of the episode (n, 2)."""
    if "starts" in episode.setup:
        return [start[:2] for start in cast(Places, episode.setup["starts"])]
    setup = google_setup(episode)
    return setup.xy if setup.rule == "near" else ()


def _google_environment(setup: GoogleSetup) -> tuple[str, dict[str, Value]]:
    if setup.drawer:
        name = {
            "open": "Open{}Drawer",
            "close": "Close{}Drawer",
            "place": "PlaceIntoClosed{}Drawer",
        }
        arguments: dict[str, Value] = {
            "station_name": setup.station,
            "disable_bad_material": not setup.shiny,
        }
        if setup.light != "default":
            arguments["light_mode"] = setup.light
        if setup.rule == "place":
            arguments["model_ids"] = setup.models[0]
        return f"{name[setup.rule].format(setup.drawer.capitalize())}CustomInScene-v0", arguments
    camera = _CAMERAS[setup.head_tilt]
    lights: dict[str, Value] = dict(_LIGHTS[setup.light])
    if setup.rule == "near":
        if len(setup.models) == 2:
            lights["no_distractor"] = True
        kind = camera or ("GoogleBakedTex" if setup.photo else "Google")
        return f"MoveNear{kind}InScene-v0", lights
    kind = "Distractor" if setup.distractors else camera
    if setup.distractors:
        lights["distractor_config"] = "less" if setup.distractors == 4 else "more"
    return f"GraspSingleOpenedCokeCan{kind}InScene-v0", lights | {_LAID[setup.part]: True}
