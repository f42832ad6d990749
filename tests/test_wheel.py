"""What a user installs: the wheel, in an empty environment, away from the checkout."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vlm4vla.store.schema import VERSION

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LIST_IMPORTS = 700  # modules, those of Python itself and of the command line included


def run(*command, cwd, **settings):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("VLM4VLA_", "PYTHONPATH"))}
    return subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=600,
        env=clean | settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from the checkout, with a store lying where runs leave theirs."""
    out = tmp_path_factory.mktemp("wheel")
    stray = ROOT / "results" / "wheel-test.db"
    stray.write_bytes(b"never ship a store")
    try:
        done = run(
            sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=ROOT
        )
    finally:
        stray.unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of commands of an environment that holds the base install alone."""
    home = tmp_path_factory.mktemp("installed")
    assert run(sys.executable, "-m", "venv", home / "venv", cwd=home).returncode == 0
    commands = home / "venv" / "bin"
    done = run(
        commands / "python", "-m", "pip", "install", "-q", "--no-compile",
        "-c", ROOT / "constraints.txt", wheel, cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return commands


def test_no_store_ships_and_everything_users_read_does(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert [n for n in names if ".db" in n or "/traces/" in n or "/demo/" in n] == []
    for folder in ("benchmarks", "envs", "results"):
        kept = subprocess.run(
            ["git", "ls-files", "-c", "-o", "--exclude-standard", folder],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        missing = {f"vlm4vla/data/{name}" for name in kept} - set(names)
        assert not missing, missing
    assert "vlm4vla/data/benchmarks/toy.yaml" in names
    assert "vlm4vla/data/envs/grinningface/env.toml" in names
    assert "vlm4vla/models/backbones.toml" in names
    laid_out = [p for p in (ROOT / "vlm4vla/reports/page").rglob("*.*") if p.suffix != ".pyc"]
    assert {".html", ".css", ".js"} <= {path.suffix for path in laid_out}
    assert {str(path.relative_to(ROOT)) for path in laid_out} <= set(names), "the page's files"
    outside = {n.split("/")[0] for n in names} - {"vlm4vla"}
    assert all(name.endswith(".dist-info") for name in outside), "nothing else in site-packages"


def test_the_base_install_upgrades_an_older_store(installed, tmp_path):
    """The steps ship with the package, and Alembic comes with it."""
    packed = ROOT / "tests" / "store" / "fixtures" / "v1.sqlite.xz"
    (tmp_path / "bench.db").write_bytes(lzma.decompress(packed.read_bytes()))
    script = "from vlm4vla.store import Store; Store.open('bench.db', create=True).close()"
    done = run(installed / "python", "-c", script, cwd=tmp_path)
    upgraded = f"from version 1 to {int(VERSION)}"
    assert done.returncode == 0 and upgraded in done.stderr, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench-v1.db", "bench.db"]


def test_the_base_install_has_neither_torch_nor_simulator(installed):
    frozen = run(installed / "python", "-m", "pip", "freeze", cwd=installed).stdout.lower()
    assert "sqlalchemy" in frozen
    assert not {"torch", "sapien", "mani_skill"} & {line.split("==")[0] for line in frozen.split()}
    assert run(installed / "python", "-m", "pip", "check", cwd=installed).returncode == 0


def test_toy_runs_from_suite_to_leaderboard(installed, tmp_path):
    done = run(
        installed / "bench", "run", "--policy", "expert", "--suite", "toy", "--episodes", "2",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results" / "bench.db").is_file()
    rows = json.loads(run(installed / "bench", "leaderboard", "--json", cwd=tmp_path).stdout)
    success = [r for r in rows if r["metric"] == "success" and r["policy"] == "expert"]
    assert success and all(row["suite"] == "toy" and row["value"] == 1.0 for row in success)
    assert {"policy", "suite", "task", "metric", "value", "low", "high", "n"} <= set(success[0])
    assert max(row["n"] for row in success) == 4, "two episodes of each of two tasks"
    done = run(installed / "bench", "report", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "results" / "report.html").read_text()
    assert page.lstrip().startswith("<!DOCTYPE html>") and "beforeprint" in page
    assert page.count("<svg") >= 3 and "@media print" in page


def test_hosts_run_in_another_python_than_the_installed_one(installed, tmp_path):
    """An installed package has no source tree: hosts get a copy of what they import."""
    second = tmp_path / "second"
    run(sys.executable, "-m", "venv", "--without-pip", second, cwd=tmp_path)
    numpy = Path(np.__file__).parent
    site = second / "lib" / "python3.11" / "site-packages"
    for folder in (numpy, numpy.parent / "numpy.libs"):
        shutil.copytree(folder, site / folder.name)
    done = run(
        installed / "bench", "run", "--policy", "expert", "--suite", "toy", "--episodes", "1",
        "--python", second / "bin" / "python", cwd=tmp_path, VLM4VLA_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (copy,) = (p for p in (tmp_path / "cache" / "source").iterdir() if p.is_dir())
    assert {path.name for path in (copy / "vlm4vla").iterdir() if path.is_dir()} - {
        "__pycache__"
    } == {"core", "rollout", "simulators", "data"}


def test_list_loads_little(installed, tmp_path):
    """What it costs is what it imports: nothing heavy, and not much."""
    words = ("-X", "importtime", "-m", "vlm4vla.cli", "list")
    done = run(installed / "python", *words, cwd=tmp_path)
    assert done.returncode == 0 and "grinningface_val" in done.stdout, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip() for line in said}
    assert "vlm4vla.cli" in loaded
    assert loaded & {"pandas", "scipy", "ray", "pyarrow", "torch", "sapien", "PIL"} == set()
    assert len(loaded) < LIST_IMPORTS


def test_a_missing_simulator_is_named_with_its_remedy(installed, tmp_path):
    done = run(
        installed / "bench", "run", "--policy", "expert", "--suite", "grinningface_val",
        "--set", "robot=panda", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "not installed" in done.stderr and "vlm4vla[emoji]" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists(), "nothing was started"


def test_env_list_answers_without_any_extra(installed, tmp_path):
    done = run(installed / "bench", "env", "list", "--json", cwd=tmp_path)
    rows = {row["environment"]: row for row in json.loads(done.stdout)}
    assert rows["toy"]["missing"] == [] and "python emoji" in rows["grinningface"]["missing"]
