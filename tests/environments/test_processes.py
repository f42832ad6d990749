"""A process that dies, hangs or fails becomes a sentence."""

from __future__ import annotations

import time

import psutil
import pytest

from vlm4vla.environments.processes import Reply, ask


def code(text):
    return ["-c", "from vlm4vla.environments.processes import tell\n" + text]


def test_the_answer_is_found_among_other_output():
    chatter = "print('driver says hello')\ntell({'device': 'cpu'})\nprint('and goodbye')"
    assert ask(code(chatter), 60) == Reply({"device": "cpu"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
        ("import os; os.abort()", "killed by SIGABRT"),
        ("import sys; sys.exit('vk::Error -3')", "ended with code 1: vk::Error -3"),
        ("raise RuntimeError('no device')", "RuntimeError: no device"),
        ("pass", "ended with code 0: it said nothing"),
    ],
)
def test_death_is_described(text, said):
    assert said in ask(code(text), 60).problem


def test_a_hanging_process_is_killed_with_its_children(tmp_path):
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )
    assert ask(code(script), 3).problem == "no answer within 3 s"  # it would sleep for ten minutes
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the grandchild lives on"
        time.sleep(0.05)
