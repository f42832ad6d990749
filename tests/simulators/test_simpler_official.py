"""SimplerEnv's own packages: what is refused without them, and, where they are, upstream's traces.

What is marked `foreign` runs on SAPIEN 2.2.2 in a Python of its own (`make test-foreign`).
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bench import bench
from tests.golden_official import (
    ONE_OF_EACH,
    SIMULATOR,
    bridge_traces,
    deviations,
    google_traces,
    pictures,
)
from vlm4vla.core.errors import MissingAsset, RendererUnavailable, SimulatorFault
from vlm4vla.environments.construction import maker
from vlm4vla.simulators.registry import plugin
from vlm4vla.simulators.simpler.official import files, layer
from vlm4vla.simulators.simpler.official.calls import google_call
from vlm4vla.simulators.simpler.official.options import OfficialOptions
from vlm4vla.store import Store
from vlm4vla.suites.suite import load
from vlm4vla.testing import check_simulator

SUITES = {"simpler_bridge": 96, "simpler_google_vm": 864, "simpler_google_va": 1992}


@pytest.mark.parametrize("rehost", SUITES)
def test_the_episodes_are_those_of_the_rehost(rehost):
    suite, other = load(f"{rehost}_official"), load(rehost)
    assert suite.simulator == SIMULATOR and suite.success == other.success == "last"
    assert len(suite.episodes) == SUITES[rehost]
    assert suite.metrics == other.metrics
    renamed = [replace(e, key=replace(e.key, suite=rehost)) for e in suite.episodes]
    assert renamed == list(other.episodes)


@pytest.mark.parametrize(
    "robot, rehost", [("widowx", "simpler_bridge"), ("google", "simpler_google")]
)
def test_the_conventions_are_those_of_the_rehost(robot, rehost):
    own, other = plugin(SIMULATOR).describe({"robot": robot}), plugin(rehost).describe({})
    assert (own.action, own.observation.cameras) == (other.action, other.observation.cameras)
    assert own.observation.proprio == other.observation.proprio
    assert (own.max_steps, own.stages, own.measures) == (
        other.max_steps,
        other.stages,
        other.measures,
    )


def test_every_setting_has_a_call_of_upstreams():
    calls = [google_call(e) for e in load("simpler_google_va_official").episodes]
    assert {c.environment for c in calls if "Grasp" in c.environment} == {
        f"GraspSingleOpenedCokeCan{kind}InScene-v0"
        for kind in ("", "AltGoogleCamera", "AltGoogleCamera2", "Distractor")
    }
    assert {c.environment for c in calls if "Near" in c.environment} == {
        f"MoveNear{kind}InScene-v0" for kind in ("Google", "AltGoogleCamera", "AltGoogleCamera2")
    }
    assert {c.traced for c in calls if "Drawer" in c.environment} == {True}
    assert not any(c.photo for c in calls)
    matched = [google_call(e) for e in load("simpler_google_vm_official").episodes]
    assert all(c.photo for c in matched)
    assert len({c.arguments["urdf_version"] for c in matched}) == 4


@pytest.mark.golden
def test_upstream_is_called_as_the_recorder_called_it():
    """For every recorded trace an episode of ours is found with the same call, word by word."""
    assert len(list(google_traces([""]))) == 100  # one of 101 is of move near's other version


def test_without_its_python_a_run_is_refused_before_anything_starts():
    for suite in SUITES:
        done = bench("run", "--policy", "random", "--suite", f"{suite}_official")
        done.refused("The Python of 'simpler_official' is not ready", "bench env install")


def test_an_unknown_shader_is_refused_with_those_there_are():
    words = ("run", "--policy", "random", "--suite", "simpler_bridge_official")
    bench(*words, "--set", "shader=rt").refused("shader of simpler_official", "upstream")


@pytest.mark.simpler
def test_a_python_with_another_sapien_is_refused():
    words = ("run", "--policy", "random", "--suite", "simpler_bridge_official")
    done = bench(*words, "--python", sys.executable)
    done.refused("runs on SAPIEN 2.2.2", "bench env install simpler_official")


def test_repositories_that_are_missing_or_altered_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("VLM4VLA_ASSETS", str(tmp_path))
    with pytest.raises(
        MissingAsset, match=r"(?s)'simpler_env'.*bench env install simpler_official"
    ):
        files.checkouts()


def test_a_layer_is_built_that_the_loader_can_talk_to():
    folder = layer.built()
    manifest = json.loads((folder / "semaphore_layer.json").read_text())
    library = ctypes.CDLL(manifest["layer"]["library_path"])
    asked = (ctypes.c_uint64 * 6)()
    assert library.vkNegotiateLoaderLayerInterfaceVersion(asked) == 0
    assert (asked[2] & 0xFFFFFFFF) == 2 and asked[3] and asked[4]


def test_without_a_compiler_the_layer_is_refused_with_what_brings_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("VLM4VLA_CACHE", str(tmp_path))
    with pytest.raises(RendererUnavailable, match="apt-get install gcc"):
        layer.built()


foreign = [
    pytest.mark.foreign,
    pytest.mark.golden,
    pytest.mark.assets,
]


def marked(test):
    """Runs upstream's stack."""
    for mark in (*foreign, pytest.mark.usefixtures("upstream_simpler")):
        test = mark(test)
    return test


@marked
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_trace_of_each_task_comes_out_bit_for_bit(name, hosts):
    (trace,) = (*bridge_traces([name]), *google_traces([name]))
    assert set(deviations(hosts(trace.options), trace).values()) == {0.0}


@pytest.fixture(scope="module")
def hosts(upstream_simpler):
    """Options -> a simulator in a host of its own, kept."""
    made = {}

    def of(options):
        key = json.dumps(dict(options))
        if key not in made:
            made[key] = maker(SIMULATOR, plugin(SIMULATOR), options, False)()
        return made[key]

    yield of
    for simulator in made.values():
        simulator.close()


@marked
@pytest.mark.parametrize(
    "name, robot",
    [("stack_cube/ep08/pick_place", "widowx"), ("pick_vertical_coke_can/g42/pick/", "google")],
)
def test_pictures_are_upstreams(name, robot):
    """On the CPU, through the layer, taken in the middle of an episode begun without a renderer."""
    find, folder = (
        (bridge_traces, "simpler") if robot == "widowx" else (google_traces, "simpler_google")
    )
    (trace,) = find([name])
    file = np.load(Path(os.environ["VLM4VLA_GOLDEN"]) / folder / "images_public.npz")
    steps = [int(step) for step in file[f"{trace.name}/image_step"]][1:]
    options = {**trace.options, "shader": "ibl"}
    simulator = maker(SIMULATOR, plugin(SIMULATOR), options, True)()
    camera = plugin(SIMULATOR).describe(options).observation.cameras[0].name
    for step, frame in pictures(simulator, trace, camera, steps):
        mask, recorded = (
            np.asarray(Image.open(BytesIO(file[f"{trace.name}/{kind}_png_{step:03d}"].tobytes())))
            for kind in ("mask", "fg")
        )
        assert (frame[mask > 0] == recorded[mask > 0]).all(), step
        assert frame[mask == 0].std() > 20, "the photograph"
    simulator.close()


@marked
def test_what_is_not_on_upstreams_grid_is_no_episode_of_its(hosts):
    simulator = hosts({"robot": "widowx"})
    for suite in ("simpler_bridge_jitter", "simpler_bridge_altered"):
        with pytest.raises(SimulatorFault, match="its own grid alone"):
            simulator.reset(load(suite).episodes[0])
    simulator.reset(load("simpler_bridge_official").episodes[0])


@marked
def test_the_contract_holds():
    suite = load("simpler_bridge_official").narrowed(tasks=["cube"], count=2)
    check_simulator(SIMULATOR, suite, steps=2)


@marked
def test_a_whole_run_through_the_engine(tmp_path, ray_session):
    store = tmp_path / "bench.db"
    words = ("run", "--policy", "random", "--suite", "simpler_bridge_official", "--task", "cube")
    done = bench(*words, "--init", 0, "--store", store, cwd=tmp_path)
    assert done.code == 0, done.out + done.err
    with Store.open(store) as opened:
        (run,) = opened.runs()
        (row,) = opened.episodes(run.id)
    assert run.comparability["sapien"] == "2.2.2"
    assert (
        run.comparability["stand_in.stages/bridge_table_1_v1.glb"]
        == "a box with the table's height"
    )
    assert row.steps == 60 and row.outcome == "failure"


@marked
def test_a_missing_file_is_named_and_a_stand_in_is_stated():
    options = OfficialOptions("google", "aggregation")
    with pytest.raises(MissingAsset, match=r"(?s)modern_office_no_roof.*variant=core"):
        files.facts(options)
    stated = files.facts(OfficialOptions("widowx"))
    assert stated["stand_in.eggplant/textured.dae"] == "the collision mesh, painted"
