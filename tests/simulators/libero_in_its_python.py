"""Facts of LIBERO that show only beside MuJoCo: run in LIBERO's own Python, printed as JSON.

python libero_in_its_python.py PATH_OF_THE_SOURCE
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace

sys.path.insert(0, sys.argv[1])

import numpy as np

from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.errors import BenchError
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.simulators.libero import engine

RENDERER = engine.load("osmesa")

from libero.libero.envs import OffScreenRenderEnv

from vlm4vla.simulators.libero.options import LiberoOptions
from vlm4vla.simulators.libero.simulator import LiberoSimulator
from vlm4vla.simulators.libero.words import PROPRIO
from vlm4vla.simulators.libero.world import _file

DRAWER = "KITCHEN_SCENE4_put_the_black_bowl_in_the_bottom_drawer_of_the_cabinet_and_close_it"
"""A task whose fixtures, and how far a drawer is open, are drawn anew by every reset."""
STEPS = 6
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (STEPS, 7))
EVERYTHING = ObservationRequest(
    (CameraRequest("agentview", 128, 128), CameraRequest("eye_in_hand", 128, 128)),
    PROPRIO,
    True,
)


def episode(
    init: int, states: str = "libero_10", task: str = DRAWER, **setup: list[float]
) -> Episode:
    setup = {"scene": "libero_10", "states": states, **setup}
    return Episode(EpisodeKey("libero_10", task, init), "do it", 520, setup)


def played(world: LiberoSimulator, init: int, looks: bool = False, **kind: object) -> list[bytes]:
    """The full state of the physics after the reset and after each action."""
    world.reset(episode(init, **kind))
    states = [world._world.state]
    for action in ACTIONS:
        if looks:
            world.observe(EVERYTHING)
        world.advance(action)
        states.append(world._world.state)
    return [state.tobytes() for state in states]


def cabinet(world: LiberoSimulator) -> list[float]:
    return world._world.env.sim.model.body_pos[
        world._world.env.obj_body_id["white_cabinet_1"]
    ].tolist()


def refusal(call) -> str:
    try:
        call()
    except BenchError as error:
        return f"{type(error).__name__}: {error}"
    return ""


told: dict[str, object] = {"renderer": RENDERER}
world = LiberoSimulator(LiberoOptions(renderer="osmesa"))
blind = played(world, 3)
seen = played(world, 3, looks=True)
told["rendering changes nothing"] = blind == seen
fresh = played(world, 1, states="")
drawn, stood = world.drawn, cabinet(world)
again = played(world, 3)
told["order changes nothing"] = again == blind
told["fresh states are drawn from the seed"] = fresh == played(world, 1, states="") != blind
elsewhere = played(world, 2, states="")
told["another init draws another state"] = elsewhere != fresh and cabinet(world) != stood
again = played(world, 2, states="", drawn=drawn.tolist())
told["a drawn state is begun at again"] = again == fresh and cabinet(world) == stood
told["numbers of a drawn state"] = [len(drawn), bool(np.array_equal(drawn, world.drawn))]
told["a state that is not there"] = refusal(lambda: world.reset(episode(50)))


def beside(options: LiberoOptions) -> LiberoSimulator:
    """A simulator set up otherwise, in the task that is loaded: building it again costs seconds."""
    other = LiberoSimulator(options)
    other._world = world._world
    return other


community = beside(LiberoOptions(seeding="community"))
places = []
for init in (2, 0, 1):
    community.reset(episode(init))
    places.append(cabinet(community))
listed = episode(2)
community.reset(replace(listed, setup={**listed.setup, "resets": 0}))
told["a list begins after the first reset"] = cabinet(community) == places[1]
upstream = OffScreenRenderEnv(
    bddl_file_name=str(_file("bddl_files", "libero_10", f"{DRAWER}.bddl")),
    camera_heights=128,
    camera_widths=128,
)
upstream.seed(0)
states = np.load(_file("init_states", "libero_10", f"{DRAWER}.pruned_init.npz"))["states"]
theirs = []
for init in range(3):
    upstream.reset()
    upstream.set_init_state(states[init])
    theirs.append(upstream.sim.model.body_pos[upstream.env.obj_body_id["white_cabinet_1"]].tolist())
told["cabinets move"] = len({tuple(place) for place in theirs}) == 3
told["community's order is upstream's"] = [theirs[2], theirs[0], theirs[1]] == places

community.reset(episode(2))
for _ in range(10):
    pictures = upstream.step([0, 0, 0, 0, 0, 0, -1])[0]
for action in ACTIONS:
    pictures = upstream.step(action)[0]
    community.advance(action)
ours = community.observe(EVERYTHING)
told["states are upstream's"] = bool(
    np.array_equal(upstream.get_sim_state(), community._world._wrapped.get_sim_state())
)
told["agentview is upstream's, upright"] = bool(
    np.array_equal(ours.image("agentview"), pictures["agentview_image"][::-1])
)
told["the wrist is upstream's, upright"] = bool(
    np.array_equal(ours.image("eye_in_hand"), pictures["robot0_eye_in_hand_image"][::-1])
)
told["proprioception is robosuite's"] = bool(
    np.array_equal(
        ours.proprio[:9],
        np.concatenate(
            [pictures[f"robot0_{part}"] for part in ("eef_pos", "eef_quat", "gripper_qpos")]
        ),
    )
)
upstream.close()
community._close_eye()

cut = beside(LiberoOptions(view="crop"))
cut.reset(episode(0))
whole = ObservationRequest((CameraRequest("agentview"),))
told["cropped"] = cut.observe(whole).image("agentview").shape
cut._close_eye()

legacy = beside(LiberoOptions(settle="interleaved"))
legacy.reset(episode(0))
clock = [round(legacy._world.data.time / 0.05)]
for _ in range(STEPS):
    legacy.advance(np.zeros(7))
    clock.append(round(legacy._world.data.time / 0.05))
told["steps of VLM4VLA's loop"] = clock
legacy.close()

log = logging.getLogger("robosuite_logs")
told["robosuite's log goes to"] = [type(handler).__name__ for handler in log.handlers]
held = engine.NEWEST
engine.NEWEST = "3.3.6"
told["too new"] = refusal(lambda: engine.versions(""))
told["accepted by name"] = engine.versions(held)["mujoco"]
print("\n" + json.dumps(told))
