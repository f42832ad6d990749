"""`bench run` as a user meets it: one screen for every mistake, one exit code for every end."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.bench import Done, bench
from tests.kills.driver import command_of, driving, survivors
from vlm4vla.store import Store

OWN = """
from collections.abc import Sequence
import numpy as np
from vlm4vla.core.specs import ActionSpec, CameraRequest, ObservationRequest, PolicySpec
from vlm4vla.policies import ActionChunk, Policy

class Still(Policy):
    known_options = ("mood",)

    def act(self, observations, sessions):
        return [ActionChunk(np.zeros((8, self.simulator.action.size))) for _ in observations]

class Absolute(Still):
    @classmethod
    def describe(cls, simulator, **options):
        return PolicySpec(ActionSpec(control="absolute", frame="tcp"))

class Elsewhere(Still):
    @classmethod
    def describe(cls, simulator, **options):
        return PolicySpec(simulator.action, ObservationRequest((CameraRequest("wrist"),)))

class Needy(Still):
    @classmethod
    def describe(cls, simulator, **options):
        return PolicySpec(simulator.action, checkpoint=options["mood"])

class Unfinished(Policy):
    pass

no_class = 3
"""
SUITE = "name: mine\nsummary: s\nsimulator: toy\nepisodes: {count: 2}\n"
HIDDEN = """
import sys
from importlib import metadata

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sapien", "mani_skill"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Hide())
found = metadata.Distribution.from_name.__func__

def from_name(cls, name):
    if name in ("sapien", "mani-skill"):
        raise metadata.PackageNotFoundError(name)
    return found(cls, name)

metadata.Distribution.from_name = classmethod(from_name)
"""


@pytest.fixture
def folder(tmp_path):
    """A user's folder with modules, suite files and the packages of nobody."""
    files = {
        "own.py": OWN,
        "broken.py": "def f(:\n",
        "raising.py": "\n\nraise RuntimeError('no GPU here')\n",
        "mine.yaml": SUITE,
        "misspelt.yaml": SUITE.replace("simulator", "simulater"),
        "uncounted.yaml": SUITE + "metrics: [{name: a, kind: rate, of: grapsed}]\n",
        "no.yaml": "name: [",
        "hidden/sitecustomize.py": HIDDEN,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def ray_folder():
    """Where Ray keeps its sessions; short, since sockets lie in it."""
    made = tempfile.mkdtemp(prefix="r-", dir="/tmp")
    yield Path(made)
    shutil.rmtree(made, ignore_errors=True)


def process(*words, cwd, **environment):
    """A Python of its own, for what must not be shared with the tests: Ray, imports, renderers."""
    surroundings = {k: v for k, v in os.environ.items() if k != "VLM4VLA_STORE"}
    done = subprocess.run(
        [sys.executable, "-m", "vlm4vla.cli", *map(str, words)],
        capture_output=True, text=True, timeout=120, cwd=cwd, env=surroundings | environment,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


TOY = ("--policy", "expert", "--suite", "toy")
PANDA = ("--suite", "grinningface_val", "--set", "robot=panda")
MISTAKES = {
    "suite": (("--policy", "expert", "--suite", "toi"), "Did you mean toy?", "bench list suites"),
    "policy": (("--policy", "exprt", "--suite", "toy"), "Did you mean expert?", "bench list"),
    "task": ((*TOY, "--task", "ner"), "Did you mean near?"),
    "protocol": ((*TOY, "--protocol", "papr"), "protocol", "Known: default."),
    "robot": ((*PANDA, "--policy", "expert", "--robot", "pandda"), "Did you mean panda?"),
    "option": ((*TOY, "--set", "steps_ms=3"), "Did you mean step_ms?"),
    "option's value": ((*TOY, "--set", "step_ms=abc"), "step_ms abc is not a number", "step_ms=0"),
    "option's odd value": ((*TOY, "--set", "fault=["), "fault of toy named '['"),
    "option's form": ((*TOY, "--set", "step_ms"), "not KEY=VALUE", "--set robot=panda"),
    "policy option": ((*TOY, "--policy-option", "mood=bad"), "option of policy 'expert'"),
    "misspelt policy option": (
        ("--policy", "own:Still", "--suite", "toy", "--policy-option", "moot=bad"),
        "Did you mean mood?",
    ),
    "init": ((*TOY, "--init", "10"), "no init 10; it has 0 to 9"),
    "init's form": ((*TOY, "--init", "3..5"), "--init '3..5'", "0,4,10-19"),
    "empty init": ((*TOY, "--init", ""), "--init ''", "0,4,10-19"),
    "init without end": ((*TOY, "--init", "0-999999999"), "0,4,10-19"),
    "no episodes": ((*TOY, "--episodes", "0"), "--episodes 0", "1 to 10"),
    "too many episodes": ((*TOY, "--episodes", "11"), "--episodes 11", "1 to 10"),
    "negative seed": ((*TOY, "--seed", "-1"), "Seed -1", "--seed 0"),
    "no looks": ((*TOY, "--selected-from", "0"), "--selected-from 0", "at least 1"),
    "great seed": ((*TOY, "--seed", 2**31), "Seed 2147483648", "--seed 0"),
    "seed that is no number": ((*TOY, "--seed", "x"), "--seed", "valid integer"),
    "execution": ((*TOY, "--execute", "frist"), "'frist'", "--execute chunk, half, first"),
    "slots": ((*TOY, "--slots", "0"), "--slots 0", "at least 1"),
    "batch": ((*TOY, "--max-batch", "0"), "--max-batch 0", "at least 1"),
    "retries": ((*TOY, "--retries", "-1"), "--retries -1"),
    "timeout": ((*TOY, "--timeout", "nan"), "--timeout nan"),
    "video": ((*TOY, "--video", "some"), "--video", "queries"),
    "run id": ((*TOY, "--run-id", "a/b"), "Run id 'a/b'"),
    "run id and new": ((*TOY, "--run-id", "a", "--new"), "Drop --run-id or --new"),
    "cluster": ((*TOY, "--ray-address", "127.0.0.1:1"), "No Ray cluster", "ray start --head"),
    "no policy": (("--suite", "toy"), "--policy"),
    "no such option": ((*TOY, "--epsiodes", "3"), "--episodes"),
    "suite file": (("--policy", "expert", "--suite", "x.yaml"), "No such file", "bench list"),
    "misspelt field": (
        ("--policy", "expert", "--suite", "misspelt.yaml"),
        "misspelt.yaml: there is no field 'simulater'",
        "Did you mean simulator?",
    ),
    "misspelt metric": (
        ("--policy", "expert", "--suite", "uncounted.yaml"),
        "Did you mean grasped",
    ),
    "not YAML": (("--policy", "expert", "--suite", "no.yaml"), "not YAML", "line 1"),
    "module": (("--policy", "nix:P", "--suite", "toy"), "No module named 'nix'", "module:Class"),
    "class": (("--policy", "own:Nix", "--suite", "toy"), "no attribute 'Nix'", "module:Class"),
    "file": (("--policy", "./own.py:Still", "--suite", "toy"), "my_policy:MyPolicy"),
    "syntax": (("--policy", "broken:P", "--suite", "toy"), "(broken.py, line 1)"),
    "module that raises": (
        ("--policy", "raising:P", "--suite", "toy"),
        "RuntimeError: no GPU here",
        "raising.py, line 3",
    ),
    "no class": (("--policy", "own:no_class", "--suite", "toy"), "Subclass", "implement act"),
    "no act": (("--policy", "own:Unfinished", "--suite", "toy"), "Subclass", "implement act"),
    "describe": (("--policy", "own:Needy", "--suite", "toy"), "KeyError: 'mood'", "own.py, line"),
    "action spec": (
        ("--policy", "own:Absolute", "--suite", "toy"),
        "control is absolute, the simulator takes delta",
        "frame is tcp",
        "* control ",
        "simulator\n",
        "Policy.describe",
    ),
    "camera": (
        ("--policy", "own:Elsewhere", "--suite", "toy"),
        "no camera 'wrist' (there are: top, third_person)",
    ),
    "replay without a run": (("--policy", "replay", "--suite", "toy"), "--policy-option run=RUN"),
    "replay without a store": (
        ("--policy", "replay", "--suite", "toy", "--policy-option", "run=a"),
        "--policy-option store=FILE",
    ),
    "store in a file": ((*TOY, "--store", "own.py/bench.db"), "own.py", "--store FILE"),
    "store is a folder": ((*TOY, "--store", "."), "is a folder", "Name a file in it"),
    "store is no store": ((*TOY, "--store", "own.py"), "not a store", "--store FILE"),
    "folder nobody may write to": ((*TOY, "--store", "/proc/x/bench.db"), "--store FILE"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_screen_before_anything_starts(folder, mistake):
    words, *said = MISTAKES[mistake]
    bench("run", *words, cwd=folder).refused(*said)
    assert not (folder / "results").exists(), "no store was made, so no run was entered"


@pytest.mark.parametrize("mistake", ["option's value", "describe", "camera", "store is no store"])
def test_a_mistake_starts_no_ray(folder, ray_folder, mistake):
    words, *said = MISTAKES[mistake]
    process("run", *words, cwd=folder, RAY_TMPDIR=str(ray_folder)).refused(*said)
    assert not list(ray_folder.iterdir()), "Ray was started"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_and_a_read_only_folder(folder):
    place = folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        store = ("--store", place / "bench.db")
        bench("run", *TOY, *store, cwd=folder).refused("is full", "Free some space", "--store")
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        bench("run", *TOY, *store, cwd=folder).refused("read-only", "write permission", "--store")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_store_of_another_version(folder, ray_session):
    import sqlite3

    assert bench("run", *TOY, "--init", "0", cwd=folder).code == 0
    with contextlib.closing(sqlite3.connect(folder / "results" / "bench.db")) as database:
        database.execute("update alembic_version set version_num = '9999'")
        database.commit()
    done = bench("run", *TOY, "--init", "0", cwd=folder)
    done.refused("another version", "version 99", "--store FILE")


@pytest.mark.grinningface
def test_a_missing_simulator(folder):
    command = ("run", *PANDA, "--policy", "expert")
    done = process(*command, cwd=folder, PYTHONPATH=str(folder / "hidden"))
    done.refused("needs sapien, which is not installed", 'pip install "vlm4vla[emoji]"')


@pytest.mark.grinningface
def test_a_missing_asset(folder):
    nowhere = {"VLM4VLA_ASSETS": str(folder / "a"), "VLM4VLA_CACHE": str(folder / "c")}
    command = ("run", "--suite", "grinningface_val", "--policy", "expert", "--robot", "widowx")
    bench(*command, cwd=folder, **nowhere).refused("widowx250s", "bench env install grinningface")
    done = bench(
        "run", *PANDA, "--policy", "expert", "--labels", "paligemma", cwd=folder, **nowhere
    )
    done.refused("paligemma_labels", "bench env install grinningface --asset paligemma_labels")


@pytest.mark.grinningface
def test_a_missing_renderer_stops_those_who_look(folder):
    nowhere = {"VK_ICD_FILENAMES": "/no/such.json", "VK_DRIVER_FILES": "/no/such.json"}
    done = process("run", *PANDA, "--policy", "own:Still", cwd=folder, **nowhere)
    done.refused("cannot open a renderer", "mesa-vulkan-drivers", "bench doctor")
    done = process("run", *PANDA, "--policy", "expert", "--video", "all", cwd=folder, **nowhere)
    done.refused("cannot open a renderer", "mesa-vulkan-drivers", "bench doctor")
    blind = ("--policy", "expert", "--dry-run")
    assert process("run", *PANDA, *blind, cwd=folder, **nowhere).code == 0


def test_an_explicit_run_id_is_not_for_another_configuration(folder, ray_session):
    command = ("run", *TOY, "--task", "near", "--run-id", "mine")
    assert bench(*command, "--episodes", "2", cwd=folder).code == 0
    done = bench(*command, "--init", "0-2", "--execute", "half", cwd=folder)
    done.refused("another configuration", "chunk (stored) / half (asked for)", "another --run-id")
    with Store.open(folder / "results" / "bench.db") as store:
        (run,) = store.runs()
        assert run.id == "mine" and len(run.plan) == 2 and len(store.episodes("mine")) == 2


def test_the_same_command_continues_and_new_starts_afresh(folder, ray_session):
    command = ("run", *TOY, "--task", "near", "--episodes", "3")
    first, again, new = (bench(*command, *more, cwd=folder) for more in ((), (), ("--new",)))
    assert [done.code for done in (first, again, new)] == [0, 0, 0]
    assert "3 episodes, 2 slots" in first.out or "3 episodes, 1 slot" in first.out
    assert "3 already stored" in again.out and "slot" not in again.out
    assert "already" not in new.out
    with Store.open(folder / "results" / "bench.db") as store:
        one, two = store.runs()
        assert two.id == f"{one.id}-2" and len(store.episodes(one.id)) == 3
        ended = max(row.ended for row in store.episodes(one.id))
        assert all(row.ended > ended for row in store.episodes(two.id))


def test_a_dry_run_lists_and_starts_nothing(folder, ray_folder):
    done = process("run", *TOY, "--dry-run", cwd=folder, RAY_TMPDIR=str(ray_folder))
    assert done.code == 0 and "near" in done.out and "10 episodes" in done.out
    assert re.search(r"run +toy-expert-[0-9a-f]{8}", done.out)
    assert not list(ray_folder.iterdir()) and not (folder / "results").exists()


def test_errors_end_with_1_and_are_tried_again_only_on_request(folder, ray_session):
    faults = ("fault=raise-once", "fault_inits=1", f"fault_memory={folder}")
    command = ["run", *TOY, "--task", "near", "--episodes", "3", "--retries", "0"]
    for fault in faults:
        command += ["--set", fault]
    first = bench(*command, cwd=folder)
    assert first.code == 1 and first.out.count("near/1 attempt 1: simulator error") == 1
    assert "1 episode ended in an error" in first.out and "--retry-errors" in first.out
    again = bench(*command, cwd=folder)
    assert again.code == 1 and "3 already stored" in again.out
    assert "3/3 episodes, success 100.0%" in again.out and "1 error" in again.out
    repaired = bench(*command, "--retry-errors", cwd=folder)
    assert repaired.code == 0 and "3/3 episodes, success 100.0%" in repaired.out
    assert "error" not in repaired.out.splitlines()[-1]
    with Store.open(folder / "results" / "bench.db") as store:
        (run,) = store.runs()
        assert [fault.key.init for fault in store.faults(run.id)] == [1]


def test_plain_lines_where_there_is_no_terminal(folder, ray_folder):
    done = process("run", *TOY, "--init", "0", cwd=folder, RAY_TMPDIR=str(ray_folder))
    assert done.code == 0, done.err
    assert list(ray_folder.iterdir()), "Ray would have been seen where none is to start"
    assert (folder / "results" / "bench.db").exists()
    lines = done.out.splitlines()
    assert "\x1b" not in done.out and done.err == ""
    assert re.fullmatch(r"run toy-expert-[0-9a-f]{8}: 2 episodes, [12] slots?", lines[0])
    assert lines[-1].startswith("2/2 episodes, success 100.0% [43.9, 100.0], ")
    # A machine under load may need more than one line's time.
    assert all(re.match("[01]/2 episodes, success ", line) for line in lines[1:-1])


def test_a_live_panel_on_a_terminal(folder):
    command = [sys.executable, "-m", "vlm4vla.cli", "run", *TOY, "--set", "step_ms=8"]
    text = on_terminal(command, folder)
    assert "slot 0" in text and "\x1b[" in text
    end = screen_of(text)
    # Of two tasks, as the leaderboard has it; of 20 episodes at once it would be 83.9.
    assert re.search(r"20/20 episodes, \d+ steps/s *\nsuccess 100\.0% \[80\.4, 100\.0\]", end)
    assert end.count("20/20") == 1, "the panel was drawn over itself"
    assert "slot 0" not in end, "nothing runs any more"


def on_terminal(command, cwd, width=100):
    """All that the command writes to a pseudo-terminal."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    surroundings = {k: v for k, v in os.environ.items() if k not in ("VLM4VLA_STORE", "NO_COLOR")}
    process = subprocess.Popen(
        command, cwd=cwd, stdout=slave, stderr=slave, env=surroundings | {"TERM": "xterm-256color"}
    )
    os.close(slave)
    seen, deadline = b"", time.monotonic() + 120
    with contextlib.suppress(OSError):  # the other end is closed
        while time.monotonic() < deadline:
            if select.select([master], [], [], 1)[0]:
                seen += os.read(master, 65536)
    os.close(master)
    assert process.wait(10) == 0, seen
    return seen.decode()


def screen_of(text):
    """What is left on the screen: cursor-up and erase-line obeyed, colours dropped."""
    lines, row = [""], 0
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r\n|\n|\r)", text):
        if part in ("\n", "\r\n"):
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            pass
        elif part.endswith("A") and part.startswith("\x1b["):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b["):
            lines[row] += part
    return "\n".join(lines)


@pytest.mark.kills
def test_ctrl_c_while_it_still_starts(folder):
    with driving([*TOY, "--set", "step_ms=30"], folder) as driver:
        deadline = time.monotonic() + 60
        while not any("gcs_server" in command_of(p) for p in driver.descendants()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        tree = driver.descendants()
        driver.process.send_signal(signal.SIGINT)
        code, output = driver.wait(30)
        assert code == 130 and "Traceback" not in output, output
        assert survivors(tree, 10) == []


@pytest.mark.parametrize("mode", ["queries", "all"])
def test_films_of_what_runs(folder, mode, ray_session):
    import av

    command = ("run", *TOY, "--task", "near", "--episodes", "2")
    plain = bench(*command, "--dry-run", cwd=folder).out
    done = bench(*command, "--video", mode, cwd=folder)
    assert done.code == 0, done.err
    with Store.open(folder / "results" / "bench.db") as store:
        (run,) = store.runs()
        assert run.id in plain, "a film makes no other run of it"
        for row in store.episodes(run.id):
            with av.open(row.video) as film:
                frames = sum(1 for _ in film.decode(video=0))
            assert frames == row.queries + (mode == "all"), "the expert asks at every step"
            assert Path(row.video).parent == folder / "results" / "videos" / run.id
