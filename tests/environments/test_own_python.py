"""A simulator in a Python of its own, and one that a user brings: real venvs, real runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.environments.second_python import NUMPY, prepare
from tests.shared_ray import one_at_a_time, session_folder
from vlm4vla.core.environment import Environment
from vlm4vla.core.errors import (
    InvalidFile,
    MissingDependency,
    MissingEnvironment,
    StaleSource,
    WrongPython,
)
from vlm4vla.core.source import copied_source, own_hash, source_hash
from vlm4vla.environments import interpreter
from vlm4vla.environments.checkup import environment_findings, simulator_findings
from vlm4vla.environments.interpreter import choose
from vlm4vla.environments.python_packages import read_pins
from vlm4vla.rollout.hosts.child import Interpreter
from vlm4vla.rollout.hosts.host import Inquiry
from vlm4vla.rollout.hosts.host_process import inquire
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.simulators import gym
from vlm4vla.simulators.registry import target
from vlm4vla.store import Store
from vlm4vla.testing import BrokenContract, check_simulator

FREE = ("timing", "ended", "memory_mb", "run")
"""What two runs of the same episodes may differ in."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A machine with the plugin and its environment: one for all processes of the session."""
    folder = session_folder(tmp_path_factory) / "second_python"
    folder.mkdir(exist_ok=True)
    with one_at_a_time(folder / "lock"):
        machine = prepare(folder)
        if not (folder / "ready").exists():
            _install(machine)
            (folder / "ready").touch()
    return machine


def _install(machine):
    before = machine("env", "list", "--json")
    missing = {row["environment"]: row["missing"] for row in json.loads(before)}
    assert missing["spring"] == ["python venv"]
    refused = machine("run", "--policy", "expert", "--suite", "spring.yaml", code=2)
    assert "venvs/spring is not there" in refused and "bench env install spring" in refused
    said = machine("env", "install", "spring")
    assert "making it with 3 packages" in said and "ok      python venv" in said


@pytest.fixture(scope="module")
def python(bench):
    return str(Path(bench.variables["VLM4VLA_CACHE"]) / "venvs" / "spring" / "bin" / "python")


@pytest.fixture(scope="module")
def played(bench, python, ray_session):
    """The toy in the harness's own Python (`here.db`) and in the second one (`there.db`)."""
    with one_at_a_time(bench.folder / "lock"):
        if not (bench.folder / "there.db").exists():
            for policy in ("expert", "random"):
                with Store.open(bench.folder / "here.db", create=True) as store:
                    plan = resolve(RunRequest(policy, "toy", episodes=3))
                    execute(plan, store, lambda event: None)
                bench(
                    *("run", "--policy", policy, "--suite", "toy", "--episodes", "3"),
                    *("--slots", "2", "--store", "there.db", "--python", python),
                )
    return bench


@pytest.fixture
def cache(bench, monkeypatch):
    """This process sees the machine's cache and plugin."""
    folder = Path(bench.variables["VLM4VLA_CACHE"])
    monkeypatch.setenv("VLM4VLA_CACHE", str(folder))
    monkeypatch.syspath_prepend(bench.variables["PYTHONPATH"])
    return folder


def ask(options, interpreter):
    """What `resolve` asks a host."""
    return inquire(Inquiry(target("spring"), options, "facts", interpreter=interpreter))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache that a test may spoil."""
    monkeypatch.setenv("VLM4VLA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rows(path, run=""):
    """Every column but the free ones, and the actions, by episode."""
    with Store.open(path) as store:
        (record,) = [r for r in store.runs() if run in r.id]
        return {
            row.key: (
                {name: value for name, value in vars(row).items() if name not in FREE},
                store.trace(record.id, row.key).actions.tobytes(),
                store.trace(record.id, row.key).query_steps,
            )
            for row in store.episodes(record.id)
        }


def test_the_second_python_has_nothing_of_the_harness(bench, python):
    code = (
        "import importlib.util as u, numpy, vlm4vla\n"
        "print(numpy.__version__, vlm4vla.__version__, vlm4vla.__file__)\n"
        "print([n for n in ('ray', 'torch', 'pandas', 'pydantic', 'PIL', 'pip') if u.find_spec(n)])"
    )
    done = subprocess.run(
        [python, "-c", code], cwd=bench.folder, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first.startswith(NUMPY) and f"/source/{own_hash()}/" in first
    assert second == "[]"
    assert find_spec("springs") is None, "or the harness's own Python would do"


def test_a_plugin_runs_in_the_python_of_its_environment(bench, python):
    note = bench.folder / "note.txt"
    bench(
        *("run", "--policy", "expert", "--suite", "spring.yaml", "--slots", "2"),
        *("--store", "spring.db"), SPRINGS_NOTE=str(note),
    )  # fmt: skip
    assert set(note.read_text().split()) == {python}
    with Store.open(bench.folder / "spring.db") as store:
        (run,) = store.runs()
        assert run.comparability["springs"] == "0.3"
        noted = run.provenance["simulator_python"]
        assert (noted["command"], noted["numpy"], noted["brought"]) == (python, NUMPY, False)
        assert len(store.episodes(run.id)) == 6
    assert "as stored" in bench("replay", "spring", "--episode", "far/1", "--store", "spring.db")


def test_rows_are_those_of_the_harness_own_python(played):
    for policy in ("expert", "random"):
        here, there = (rows(played.folder / name, policy) for name in ("here.db", "there.db"))
        assert len(here) == 6 and here == there


def test_replay_shows_the_same_pictures(played, python, tmp_path):
    bench, pictures = played, []
    for name, more in (("here", ()), ("there", ("--python", python))):
        sheet = tmp_path / f"{name}.png"
        said = bench(
            *("replay", "toy-expert", "--episode", "near/1", "--store", "here.db"),
            *("--sheet", sheet), *more,
        )  # fmt: skip
        assert "as stored" in said
        pictures.append(sheet.read_bytes())
    assert pictures[0] == pictures[1]
    refused = bench(
        *("replay", "toy-expert", "--episode", "near/1", "--store", "here.db"),
        *("--video", tmp_path / "film.mp4", "--python", python), code=2,
    )  # fmt: skip
    assert "PyAV" in refused and "install av" in refused


def test_a_run_with_a_brought_python_is_replayed_in_it(played):
    bench = played
    given = json.loads(
        bench("replay", "toy-expert", "--episode", "near/1", "--store", "there.db", "--json")
    )
    assert given["differences"] == [] and given["changed"] == []
    with Store.open(bench.folder / "there.db") as store:
        (run,) = [run for run in store.runs() if "expert" in run.id]
        assert run.provenance["simulator_python"]["brought"] is True


def test_demonstrations_are_the_same(played, python, tmp_path):
    for name, more in (("d1", ()), ("d2", ("--python", python))):
        played(
            *("demos", "--run", "toy-expert", "--store", "here.db", "--frames", "3"),
            *("--init", "0", "--out", tmp_path / name), *more,
        )  # fmt: skip
    one, other = (
        [pq.read_table(path) for path in sorted((tmp_path / name).glob("data/*/*.parquet"))]
        for name in ("d1", "d2")
    )
    assert len(one) == len(other) == 2
    for left, right in zip(one, other, strict=True):
        shown = [n for n in left.column_names if n.startswith("observation.images")]
        assert shown and left.drop(shown).equals(right.drop(shown))
        for name in shown:
            pixels = [[_pixels(cell) for cell in t[name].to_pylist()] for t in (left, right)]
            assert pixels[0] == pixels[1] and any(pixels[0])


def _pixels(cell):
    from io import BytesIO

    from PIL import Image

    return cell and cell["bytes"] and Image.open(BytesIO(cell["bytes"])).tobytes()


def test_doctor_asks_the_simulator_in_its_own_python(bench, cache):
    findings = [*environment_findings("spring"), *simulator_findings("spring", False)]
    assert [(finding.what, finding.level) for finding in findings] == [
        ("spring: python venv", "ok"),
        ("spring: simulator", "ok"),
        ("spring: renderer", "ok"),
    ]
    assert [finding.detail for finding in findings[1:]] == ["springs 0.3", "pencil"]


def test_a_second_install_changes_nothing(bench, python):
    before = Path(python).parent.stat().st_mtime_ns
    assert "making" not in bench("env", "install", "spring")
    assert Path(python).parent.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"worn": 1}, "MissingAsset", "The spring is worn"),
        ({"strange": 1}, "UnknownName", "no spring named 'spiral'"),
        ({"dead": 1}, "BadInput", "killed by SIGKILL"),
    ],
)
def test_what_only_that_python_knows_is_said_as_it_was(bench, cache, options, kind, said):
    """Typed errors cross the line, also those whose class this side cannot import."""
    with pytest.raises(Exception, match=said) as caught:
        ask(options, choose("spring", None)[0])
    assert type(caught.value).__name__ == kind
    assert caught.value.fix or kind == "UnknownName"


def test_gymnasium_moves_it_in_its_own_python(bench, cache, tmp_path, monkeypatch):
    """This one lacks its packages; on the spring the toy does what it does here."""
    monkeypatch.setenv("SPRINGS_NOTE", str(tmp_path / "note.txt"))
    sprung = bench.folder / "spring.yaml"
    plain = tmp_path / "plain.yaml"  # of the same name: it is part of an episode's identity
    plain.write_text(sprung.read_text().replace("simulator: spring", "simulator: toy"))
    there, here = (gym.make(str(path)) for path in (sprung, plain))
    seen = [env.reset(seed=3, options={"task": "far", "init": 1})[0] for env in (there, here)]
    rng = np.random.default_rng(0)
    for _ in range(12):
        for name, value in seen[0].items():
            assert np.array_equal(value, seen[1][name]), name
        action = rng.uniform(-1, 1, 7)
        (one, *told, _), (other, *known, _) = (env.step(action) for env in (there, here))
        assert told == known
        seen = [one, other]
    there.close()
    there.close()  # as a gymnasium.Env may be
    assert "venvs/spring" in (tmp_path / "note.txt").read_text()


def test_gymnasium_says_what_its_own_python_lacks(bench, cache, monkeypatch):
    monkeypatch.setenv("VLM4VLA_CACHE", str(bench.folder / "empty"))
    with pytest.raises(MissingEnvironment, match="venvs/spring is not there") as caught:
        gym.make(str(bench.folder / "spring.yaml"))
    assert caught.value.fix == "bench env install spring"


def test_its_contract_is_tried_where_it_runs(bench, cache):
    """The one rule that it breaks is found."""
    with pytest.raises(BrokenContract) as caught:
        check_simulator("spring", str(bench.folder / "spring.yaml"))
    assert caught.value.broken == (
        "describe with an option that does not exist raises nothing; BadInput is due",
    )


def test_pins_are_exact(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# all of it\nNumpy==2.4.6\nmu_joco==3.3.7  # no newer\n")
    assert read_pins(path) == {"numpy": "2.4.6", "mu-joco": "3.3.7"}
    for line in (
        *("numpy", "numpy>=2", "numpy==2.*", "numpy==2,<3", "-r other.txt", "x @ file:///x"),
        "numpy===1.0.odd",  # no version that could be compared with what is installed
    ):
        path.write_text(f"scipy==1.2\n{line}\n")
        with pytest.raises(InvalidFile, match=r"line 2: .* does not pin") as caught:
            read_pins(path)
        assert "name==" in caught.value.fix


def test_loose_pins_hide_nothing_else(bench, cache, tmp_path):
    """One package's file is wrong: it is named, and the other environments are shown."""
    shutil.copytree(bench.variables["PYTHONPATH"], tmp_path / "site")
    path = tmp_path / "site" / "spring_sim" / "requirements.txt"
    path.write_text("numpy>=1\n")
    other = {"PYTHONPATH": str(tmp_path / "site")}
    listed = json.loads(bench("env", "list", "--json", **other))
    missing = {row["environment"]: row["missing"] for row in listed}
    assert missing["spring"] == ["python venv"] and missing["toy"] == []
    said = bench("env", "check", "spring", code=1, **other)
    assert f"MISSING python venv: {path}, line 1: 'numpy>=1' does not pin" in said
    assert "Write it as name==" in said


def test_a_build_of_a_version_is_that_version(own_cache, tmp_path):
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\n")
    environment = Environment("built", isolation="venv", folder=tmp_path)
    home = own_cache / "venvs" / "built"
    site = home / "lib" / "python3.11" / "site-packages"
    for version, problem in (
        ("2.13.0+cpu", ""),
        ("2.13.1", "torch is 2.13.1, not 2.13.0"),
    ):
        shutil.rmtree(home, ignore_errors=True)
        (site / f"torch-{version}.dist-info").mkdir(parents=True)
        about = f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        (site / f"torch-{version}.dist-info" / "METADATA").write_text(about)
        assert "is not there" in interpreter.defect(environment)
        interpreter.python(environment).parent.mkdir()
        interpreter.python(environment).symlink_to(sys.executable)
        assert interpreter.defect(environment) == problem


def test_an_install_that_takes_too_long_says_so(own_cache, tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("numpy==1.26.4\n")
    environment = Environment("slow", isolation="venv", folder=tmp_path)
    monkeypatch.setattr(interpreter, "INSTALL_LIMIT_S", 0.01)
    with pytest.raises(MissingDependency, match=r"not done after 0\.01 s") as caught:
        interpreter.install(environment, print)
    assert "-m venv" in caught.value.fix


def test_a_disk_that_takes_no_more_is_no_reason_to_stop(own_cache, tmp_path):
    environment = Environment("full", isolation="venv", folder=tmp_path)
    site = interpreter.home(environment) / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (site / "vlm4vla.pth").symlink_to("/dev/full")
    interpreter.enter(environment)


def test_an_altered_venv_is_refused_with_its_mend(bench, cache, own_cache, python):
    """One package was taken out, another put in its place."""
    site = "lib/python3.11/site-packages"
    for info in sorted((cache / "venvs" / "spring" / site).glob("*.dist-info")):
        if not info.name.startswith("springs"):
            shutil.copytree(info, own_cache / "venvs" / "spring" / site / info.name)
    (own_cache / "venvs" / "spring" / "bin").mkdir()
    (own_cache / "venvs" / "spring" / "bin" / "python").symlink_to(python)
    with pytest.raises(MissingEnvironment, match=r"springs is missing, not 0\.3") as caught:
        choose("spring", None)
    assert caught.value.fix == "bench env install spring"
    check = bench("env", "check", "spring", code=1, VLM4VLA_CACHE=str(own_cache))
    assert "MISSING python venv: springs is missing" in check


def test_an_interpreter_that_cannot_serve_is_refused_with_the_reason(bench, cache, tmp_path):
    with pytest.raises(MissingEnvironment, match="no Python at"):
        choose("toy", str(tmp_path / "python"))
    with pytest.raises(MissingEnvironment, match="cannot be used as Python"):
        choose("toy", "/bin/ls")
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True, timeout=60)
    with pytest.raises(MissingDependency, match="No module named 'numpy'") as caught:
        choose("toy", str(bare / "bin" / "python"))
    assert caught.value.fix == f"{bare}/bin/python -m pip install numpy"
    other = tmp_path / "python3.12"  # says of itself what another version would say
    lie = "import sys; sys.version_info = (3, 12, 1); del sys.argv[:1]; exec(sys.argv.pop(1))"
    other.write_text(f"#!{sys.executable}\n{lie}\n")
    other.chmod(0o755)
    with pytest.raises(WrongPython, match=r"is Python 3\.12\.1; simulators run in 3\.11"):
        choose("toy", str(other))
    refused = bench("run", "--policy", "random", "--suite", "toy", "--python", other, code=2)
    assert "3.12.1" in refused and "--python" in refused


def test_a_missing_import_is_named_with_its_mend(bench, cache, python):
    """A brought Python that has the plugin's package nowhere."""
    chosen = Interpreter(sys.executable, own_hash(), "mend it")
    with pytest.raises(MissingDependency, match="spring_sim") as caught:
        ask({}, chosen)
    assert caught.value.fix == "mend it"


def test_an_altered_copy_of_the_source_is_renewed(own_cache):
    folder = copied_source(own_hash())
    module = folder / "vlm4vla" / "core" / "episode.py"
    text = module.read_text()
    module.write_text(text.replace("lot(self)", "draw(self)"))
    assert source_hash(folder / "vlm4vla") != own_hash()
    assert copied_source(own_hash()) == folder
    assert module.read_text() == text


def test_many_first_commands_make_one_copy(own_cache):
    """Whoever has seen the folder may import from it: nobody moves it aside again."""
    script = (
        "import sys\n"
        "from vlm4vla.core.source import copied_source, own_hash\n"
        "wanted = own_hash()\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(copied_source(wanted).stat().st_ino)\n"
    )
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    for each in crowd:
        assert each.stdout.readline() == "ready\n"
    for each in crowd:
        each.stdin.write("go\n")
        each.stdin.flush()
    seen = {each.communicate(timeout=120)[0] for each in crowd}
    assert [each.returncode for each in crowd] == [0] * len(crowd)
    assert seen == {f"{(own_cache / 'source' / own_hash()).stat().st_ino}\n"}


def test_a_host_of_another_source_is_refused(bench, cache, own_cache, python, monkeypatch):
    """What a host imports is compared with what the run began with, whoever put it there."""
    with pytest.raises(StaleSource, match="was begun with"):
        copied_source("0" * 16)
    stale = own_cache / "source" / "stale"
    shutil.copytree(copied_source(own_hash()), stale)
    module = stale / "vlm4vla" / "core" / "episode.py"
    module.write_text(module.read_text() + "\n# later\n")
    monkeypatch.setattr("vlm4vla.rollout.hosts.child.copied_source", lambda wanted: stale)
    with pytest.raises(StaleSource, match=own_hash()) as caught:
        ask({}, Interpreter(python, own_hash(), "bench env install spring"))
    assert caught.value.fix == "bench env install spring"
