"""`bench env` and `bench doctor` as a user meets them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.bench import bench


def answer(done):
    return json.loads(done.out)


def test_list_names_every_environment_and_what_it_lacks(tmp_path):
    done = bench("env", "list", "--json", VLM4VLA_ASSETS="", VLM4VLA_CACHE=str(tmp_path))
    rows = {row["environment"]: row for row in answer(done)}
    assert done.code == 0
    assert rows["toy"]["missing"] == []
    assert "asset widowx250s" in rows["grinningface"]["missing"]
    assert "asset paligemma_labels" not in rows["grinningface"]["missing"], "it is optional"
    shown = bench("env", "list", VLM4VLA_ASSETS="", VLM4VLA_CACHE=str(tmp_path)).out
    assert "grinningface" in shown and "asset widowx250s" in shown


def test_check_says_what_is_missing_and_ends_with_1(tmp_path):
    nowhere = {"VLM4VLA_ASSETS": "", "VLM4VLA_CACHE": str(tmp_path)}
    done = bench("env", "check", "grinningface", **nowhere)
    assert done.code == 1
    assert f"MISSING asset widowx250s: {tmp_path}/assets/widowx250s does not exist" in done.out
    assert "bench env install grinningface" in done.out
    parts = {part["name"]: part for part in answer(bench("env", "check", "toy", "--json"))}
    assert parts == {} and bench("env", "check", "toy").code == 0


@pytest.mark.assets
@pytest.mark.grinningface
def test_check_is_content_where_everything_is_there():
    done = bench("env", "check", "grinningface", "--json")
    assert done.code == 0, done.out
    assert {part["kind"] for part in answer(done)} == {"python", "system", "asset"}
    assert all(part["ready"] for part in answer(done))


@pytest.mark.assets
def test_an_altered_asset_is_named(tmp_path):
    copy = tmp_path / "assets"
    shutil.copytree(Path(os.environ["VLM4VLA_ASSETS"]) / "widowx250s", copy / "widowx250s")
    urdf = copy / "widowx250s" / "wx250s.urdf"
    urdf.chmod(0o644)
    urdf.write_text(urdf.read_text() + "<!-- longer arms -->")
    done = bench(
        "env", "check", "grinningface", VLM4VLA_ASSETS=str(copy), VLM4VLA_CACHE=str(tmp_path)
    )
    assert done.code == 1 and "wx250s.urdf is altered" in done.out


def test_unknown_environments_and_assets_end_with_2():
    done = bench("env", "install", "grinning")
    assert done.code == 2 and "grinningface" in done.err
    done = bench("env", "install", "toy", "--asset", "widow")
    assert done.code == 2 and "asset" in done.err
    assert "Traceback" not in done.err


@pytest.mark.grinningface
def test_install_without_network_names_the_folder_to_fill(tmp_path):
    """A proxy that refuses is a network that is not there."""
    done = bench(
        "env", "install", "grinningface",
        VLM4VLA_ASSETS="", VLM4VLA_CACHE=str(tmp_path), https_proxy="http://127.0.0.1:9",
    )  # fmt: skip
    assert done.code == 2
    assert "https://" in done.err and f"{tmp_path}/assets/widowx250s" in done.err
    assert "Traceback" not in done.err


def test_doctor_finds_toy_and_ray_in_order_and_a_store_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    done = bench("doctor", "--json", "--store", "file/bench.db", cwd=tmp_path)
    found = {finding["what"]: finding for finding in answer(done)}
    for what in ("python", "machine", "ray", "toy: simulator", "toy: renderer"):
        assert found[what]["level"] == "ok", found[what]
    assert found["store"]["level"] == "wrong" and "--store" in found["store"]["fix"]
    wrong = [finding for finding in found.values() if finding["level"] == "wrong"]
    assert done.code == 1 and all(finding["fix"] for finding in wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["file"], "a doctor leaves nothing behind"


@pytest.mark.assets
@pytest.mark.grinningface
@pytest.mark.libero
@pytest.mark.usefixtures("libero_venv")
def test_doctor_is_content_and_names_the_rendering_device(tmp_path):
    done = bench("doctor", cwd=tmp_path)
    assert done.code == 0, done.out
    assert "ok    grinningface: renderer: llvmpipe" in done.out or "NVIDIA" in done.out
    assert "ok    store: " in done.out and "Nothing is wrong." in done.out
    assert list(tmp_path.iterdir()) == [], "a doctor leaves nothing behind"


@pytest.mark.grinningface
def test_doctor_says_how_to_mend_a_renderer(tmp_path):
    """The Vulkan loader is pointed at no driver at all, as on a machine that has none."""
    empty = tmp_path / "none.json"
    empty.write_text("{}")
    done = bench(
        "doctor", "--json", cwd=tmp_path, VK_DRIVER_FILES=str(empty), VK_ICD_FILENAMES=str(empty)
    )
    found = {finding["what"]: finding for finding in answer(done)}
    renderer = found["grinningface: renderer"]
    assert done.code == 1 and renderer["level"] == "wrong"
    assert "SAPIEN cannot open a renderer" in renderer["detail"]
    assert "apt-get install" in renderer["fix"]
    assert found["toy: renderer"]["level"] == "ok"
    assert "Traceback" not in done.err
