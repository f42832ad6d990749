"""Real simulator hosts: real processes, real deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from vlm4vla.core.errors import ErrorKind
from vlm4vla.core.result import Outcome
from vlm4vla.core.source import own_hash
from vlm4vla.core.specs import ObservationRequest, PolicySpec
from vlm4vla.rollout.episode_loop import LoopConfig
from vlm4vla.rollout.execution import Execution
from vlm4vla.rollout.hosts.child import Interpreter
from vlm4vla.rollout.hosts.host import Assignment, HostConfig, Limits
from vlm4vla.rollout.hosts.host_process import HostProcess
from vlm4vla.rollout.recording import Recording
from vlm4vla.simulators import plugin
from vlm4vla.suites.suite import load

EPISODES = load("toy").episodes
IDLE = Recording(np.zeros((60, 7)), range(0, 60, 10))


def host(limits=None, **options):
    spec = plugin("toy").describe(options)
    policy = PolicySpec(spec.action, ObservationRequest())
    loop = LoopConfig(spec, policy, Execution.parse("chunk"))
    return HostProcess(HostConfig("toy", options, loop, limits or Limits(5)))


@pytest.fixture
def started():
    """Hosts to kill at the end, whatever the test did."""
    made: list[HostProcess] = []

    def make(*args, **kwargs):
        made.append(host(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.kill()


def run(process, init=0):
    return process.run(Assignment(EPISODES[init], recording=IDLE))


def test_one_host_serves_episode_after_episode(started):
    process = started()
    pids = set()
    for init in range(3):
        assert run(process, init).outcome is Outcome.FAILURE
        pids.add(process.pid)
    assert len(pids) == 1


def test_a_raising_simulator_is_reported_and_its_host_replaced(started):
    process = started(fault="raise", fault_inits="1")
    result = run(process, 1)
    assert (result.outcome, result.error) == (Outcome.ERROR, ErrorKind.SIMULATOR)
    assert "told to raise" in result.error_text
    assert process.pid is None  # the next attempt gets a fresh one
    assert run(process, 0).error is None


def test_a_hang_is_noticed_explained_and_ended(started):
    process = started(Limits(1.0), fault="hang", fault_inits="1")
    run(process, 0)
    result = run(process, 1)  # left to itself it would sleep for an hour
    assert result.error is ErrorKind.HANG
    assert "_fail" in result.error_text  # the stack says where it is stuck
    assert run(process, 0).error is None


def test_a_killed_host_is_a_crash_that_names_the_signal(started):
    process = started(fault="exit", fault_inits="1")
    result = run(process, 1)
    assert result.error is ErrorKind.CRASH and "SIGKILL" in result.error_text
    assert run(process, 0).error is None


def test_a_leaking_host_is_killed_in_mid_episode(started):
    process = started(Limits(10, memory_mb=150), fault="leak", fault_inits="1", step_ms=50)
    result = run(process, 1)
    assert result.error is ErrorKind.MEMORY and "MiB" in result.error_text


def test_a_host_is_renewed_after_its_share_of_episodes_and_beyond_its_memory(started):
    worn = started(Limits(5, episodes=2))
    pids = []
    for init in range(4):
        run(worn, init)
        pids.append(worn.pid)
    assert pids[1] is None and pids[3] is None  # ended after the second and the fourth
    fat = started(Limits(5, memory_mb=1))
    assert run(fat).error is ErrorKind.MEMORY or fat.pid is None


def test_a_simulator_that_cannot_be_built_says_why(started):
    process = started()
    process._config = replace(process._config, simulator="no-such-simulator", options={})
    result = run(process)
    assert result.error is ErrorKind.CRASH and "no-such-simulator" in result.error_text


def test_a_python_that_went_away_is_a_crash_that_names_its_mend(started, tmp_path):
    process = started()
    gone = Interpreter(str(tmp_path / "python"), own_hash(), "bench env install toy")
    process._config = replace(process._config, interpreter=gone)
    result = run(process)
    assert result.error is ErrorKind.CRASH
    assert "no Python at" in result.error_text and "bench env install toy" in result.error_text
    process._config = replace(process._config, interpreter=None)
    assert run(process).error is None


def test_hosts_die_with_their_supervisor_even_in_native_sleep():
    """The supervisor is killed by SIGKILL while its host hangs; nothing may be left."""
    script = """
import os, sys
from tests.rollout.test_host_process import EPISODES, IDLE, host
from vlm4vla.rollout.hosts.host import Assignment
from vlm4vla.rollout.hosts.host import Limits
process = host(Limits(60), fault="hang", fault_inits="1")
process.run(Assignment(EPISODES[0], recording=IDLE))
print(process.pid, flush=True)
process.run(Assignment(EPISODES[1], recording=IDLE))
"""
    supervisor = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    time.sleep(0.5)
    os.kill(pid, 0)  # it lives
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_crashed_host_had_started_ends_with_it(started, tmp_path, monkeypatch):
    monkeypatch.setenv("STARTED_NOTE", str(tmp_path / "pid"))
    process = started()
    process._config = replace(process._config, simulator="tests.rollout.probes:Aborting")
    result = run(process)
    assert result.error is ErrorKind.CRASH and "SIGABRT" in result.error_text
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.05)
    if _alive(pid):
        os.kill(pid, signal.SIGKILL)
        pytest.fail("it lives on")


def test_a_host_that_closes_its_line_and_lingers_is_ended(started):
    process = started()
    process._config = replace(process._config, simulator="tests.rollout.probes:Lingering")
    lives = psutil.Process().children()
    result = run(process)
    assert result.error is ErrorKind.CRASH
    assert "closed its line and did not end" in result.error_text
    assert set(psutil.Process().children()) <= set(lives)


def test_ctrl_c_in_the_terminal_does_not_reach_the_host(started):
    process = started()
    run(process)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    assert run(process).error is None
