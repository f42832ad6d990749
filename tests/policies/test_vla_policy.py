"""`bench run --policy qwen3vl-4b --checkpoint FOLDER`: the whole way, and every way it can fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from tests.bench import bench
from tests.kills.driver import rows
from tests.models import tiny
from tests.models.build import INSTRUCTIONS, frames, vla
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput, MissingAsset, SpecMismatch, UnknownName
from vlm4vla.core.policy import Session
from vlm4vla.core.simulator import Observation
from vlm4vla.core.specs import CameraRequest
from vlm4vla.models import checkpoint
from vlm4vla.models.config import Setup
from vlm4vla.models.manifest import CheckpointMismatch
from vlm4vla.models.registry import SHIPPED
from vlm4vla.policies import policy_class
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.simulators import plugin

TOY = plugin("toy").describe({})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Backbone, spec, ... -> a checkpoint for a simulator, kept for the module."""
    made = {}

    def make(name, spec=TOY, **changes):
        key = (name, spec.simulator, repr(sorted(changes.items())))
        if key not in made:
            folder = tmp_path_factory.mktemp("vla")
            source = tiny.make(name, folder / "source") if name in tiny.CONFIGS else ""
            seen = spec.observation.cameras[0]
            camera = CameraRequest(seen.name, *((64, 64) if seen.resizable else ()))
            model = vla(name, source, action=spec.action, camera=camera, **changes)
            checkpoint.save(model, folder / "ckpt", whole=True)
            made[key] = folder / "ckpt"
        return made[key]

    return make


@pytest.fixture(autouse=True)
def _settings_of_torch():
    """A policy's process is its own; here they share one."""
    import torch

    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(exact)


def observations(count, camera="top"):
    pictures = frames(count, 64)
    return [
        Observation(INSTRUCTIONS[i % 3], 0, {camera: pictures[i : i + 1]}) for i in range(count)
    ]


def sessions(count):
    return [Session(EpisodeKey("toy", "near", i)) for i in range(count)]


def act(name, folder, seen, **options):
    policy = policy_class(name, plugin("toy"))(TOY, checkpoint=str(folder), **options)
    return np.stack([chunk.actions for chunk in policy.act(seen, sessions(len(seen)))])


def test_by_those_words(saved, tmp_path, ray_session):
    folder = saved("qwen3vl-4b", training_split="toy near", execution="half")
    done = bench(
        "run", "--policy", "qwen3vl-4b", "--suite", "toy", "--checkpoint", folder, "--episodes", 1,
        "--store", "bench.db", "--task", "near", cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    found = rows(tmp_path / "bench.db")
    assert [(row.steps, row.error) for row in found] == [(60, None)]
    assert {row.renders for row in found} == {row.queries for row in found} == {30}  # half of 3: 2
    shown = bench("leaderboard", "--store", "bench.db", "--json", cwd=tmp_path)
    assert "qwen3vl-4b" in shown.out and shown.code == 0


@pytest.mark.parametrize("name", [entry.name for entry in SHIPPED])
def test_without_a_checkpoint_every_backbone_says_how_to_get_one(name, capsys):
    with pytest.raises(BadInput) as caught:
        resolve(RunRequest(name, "toy"))
    assert f"'{name}' needs trained weights" in caught.value.message
    assert f"bench train --backbone {name} --data" in caught.value.fix


def test_the_command_line_ends_with_2(saved, tmp_path):
    command = ["run", "--policy", "qwen3vl-4b", "--suite", "toy"]
    for more in ([], ["--checkpoint", "nowhere"], ["--checkpoint", str(saved("kosmos-2"))]):
        bench(*command, *more, cwd=tmp_path).refused("Fix:")
    assert not (tmp_path / "results").exists()


def test_frozen_weights_that_are_not_here_name_the_download(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    model = vla("qwen3vl-4b", tiny.make("qwen3vl-4b", tmp_path / "source"), action=TOY.action)
    model.config = replace(model.config, source="Qwen/Qwen3-VL-4B-Instruct")
    checkpoint.save(model, tmp_path / "ckpt", whole=False)
    options = {"checkpoint": str(tmp_path / "ckpt")}
    with pytest.raises(MissingAsset) as caught:
        resolve(RunRequest("qwen3vl-4b", "toy", policy_options=options))
    assert caught.value.fix == "hf download Qwen/Qwen3-VL-4B-Instruct"
    options["source"] = str(tmp_path / "source")
    resolve(RunRequest("qwen3vl-4b", "toy", policy_options=options))


def test_the_spec_comes_from_the_checkpoint(saved):
    folder = saved("toy", training_split="toy near", execution="first+votes2")
    spec = policy_class("vla", plugin("toy")).describe(TOY, checkpoint=str(folder))
    assert spec.action == TOY.action and spec.execution == "first+votes2"
    assert spec.training_split == "toy near" and len(spec.checkpoint) == 16
    (camera,) = spec.request.cameras
    assert (camera.name, camera.height, camera.width) == ("top", 64, 64)
    assert not spec.request.proprio and not spec.privileged


def test_another_convention_is_refused_before_the_first_step(saved):
    wrong = replace(TOY, action=replace(TOY.action, control_hz=5.0))
    folder = saved("toy", wrong)
    with pytest.raises(SpecMismatch, match="control rate"):
        resolve(RunRequest("vla", "toy", policy_options={"checkpoint": str(folder)}))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("device", "tpu"),
        ("dtype", "int4"),
        ("deterministic", "maybe"),
        ("threads", "0"),
        ("x", "1"),
    ],
)
def test_options_that_are_none_are_refused(option, value, saved):
    options = {"checkpoint": str(saved("toy")), option: value}
    with pytest.raises((UnknownName, BadInput), match=option):
        resolve(RunRequest("vla", "toy", policy_options=options))


def test_another_backbones_checkpoint_is_refused(saved):
    with pytest.raises(CheckpointMismatch, match="holds a kosmos-2, not a qwen3vl-4b") as caught:
        policy_class("qwen3vl-4b", plugin("toy")).describe(TOY, checkpoint=str(saved("kosmos-2")))
    assert "--policy kosmos-2" in caught.value.fix


@pytest.mark.parametrize("name", ["qwen3vl-30b-a3b", "paligemma-1", "kosmos-2"])
def test_a_batch_is_its_members_one_by_one(name, saved):
    folder, seen = saved(name), observations(5)
    together = act(name, folder, seen)
    alone = np.concatenate([act(name, folder, [one]) for one in seen])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together.shape == (5, 3, 7) and together.dtype == np.float64
    assert np.abs(together[0] - together[1]).max() > 1e-4


@pytest.mark.parametrize("how", ["deterministic", "flat"])
def test_what_claims_batch_invariance_has_it_bit_for_bit(how, saved):
    flat = {"setup": Setup(mrope="flat")} if how == "flat" else {}
    options = {"deterministic": "yes"} if how == "deterministic" else {}
    folder, seen = saved("qwen3vl-4b", **flat), observations(5)
    spec = policy_class("qwen3vl-4b", plugin("toy")).describe(
        TOY, checkpoint=str(folder), **options
    )
    assert spec.batch_invariant
    together = act("qwen3vl-4b", folder, seen, **options)
    backwards = act("qwen3vl-4b", folder, seen[::-1], **options)[::-1]
    alone = np.concatenate([act("qwen3vl-4b", folder, [one], **options) for one in seen])
    assert np.array_equal(together, alone) and np.array_equal(together, backwards)


def test_batching_is_declared_where_it_rounds_differently(saved):
    folder = saved("qwen3vl-4b")
    spec = policy_class("qwen3vl-4b", plugin("toy")).describe(TOY, checkpoint=str(folder))
    assert not spec.batch_invariant


def test_a_run_says_what_its_last_digits_depend_on(saved):
    """The number of threads is fixed, not the machine's, and stands with the run."""
    checkpoint, cuda = ("checkpoint", str(saved("qwen3vl-4b"))), torch.cuda.is_available()
    for asked, threads in (((), 1), ((("threads", "3"),), 3)):
        request = RunRequest("qwen3vl-4b", "toy", policy_options=dict([checkpoint, *asked]))
        assert resolve(request).record.provenance["arithmetic"] == {
            "threads": threads, "device": "cuda" if cuda else "cpu",
            "dtype": "bfloat16" if cuda else "float32", "deterministic": False, "compile": False,
        }  # fmt: skip
    assert "arithmetic" not in resolve(RunRequest("random", "toy")).record.provenance


def test_bfloat16_is_a_policy_option(saved):
    folder, seen = saved("qwen3vl-4b"), observations(2)
    exact, rough = (act("qwen3vl-4b", folder, seen, dtype=d) for d in ("float32", "bfloat16"))
    difference = np.abs(exact - rough)[..., :6].max()
    assert 0 < difference < 0.05


def test_a_gpu_that_is_not_there_is_said_so(saved):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(BadInput, match="no GPU"):
        act("toy", saved("toy"), observations(1), device="cuda")


@pytest.mark.assets
def test_the_papers_suite_by_the_papers_words(saved, tmp_path, ray_session):
    folder = saved("qwen3vl-4b", plugin("calvin").describe({}), chunk=10, training_split="ABC")
    done = bench(
        "run", "--policy", "qwen3vl-4b", "--suite", "calvin_abcd", "--checkpoint", folder,
        "--init", 0, "--store", "bench.db", cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    (row,) = rows(tmp_path / "bench.db")
    assert (row.steps, row.queries, row.renders, row.error) == (360, 36, 36, None)
