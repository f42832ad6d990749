"""A renderer is tried in a process that may do what it likes."""

from __future__ import annotations

import pytest

from vlm4vla.core.errors import MissingDependency
from vlm4vla.simulators import machine


@pytest.mark.parametrize(
    ("code", "device", "problem"),
    [
        ("print('DEVICE=a card ')\nprint('DREW')", "a card", ""),
        ("print('DREW')", "", "no message"),
        ("print('DEVICE=a card')", "", "no message"),
        ("raise RuntimeError('no driver')", "", "RuntimeError: no driver"),
        (
            "import os, signal\nprint('DEVICE=a card', flush=True)\n"
            "os.kill(os.getpid(), signal.SIGSEGV)",
            "",
            "killed by signal 11: no message",
        ),
    ],
)
def test_what_a_child_came_to_is_told(code, device, problem):
    assert machine.try_renderer(code) == machine.RendererReport(device, problem)
    assert machine.RendererReport(device, problem).works == bool(device)


def test_a_driver_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(machine, "TIMEOUT_S", 0.5)
    report = machine.try_renderer("import time\ntime.sleep(60)")
    assert not report.works and report.problem == "it did not answer in 0.5 s"


def test_the_line_that_names_the_device_may_be_the_drivers_own():
    report = machine.try_renderer("print('GL_RENDERER=Mesa')\nprint('DREW')", "GL_RENDERER")
    assert report.device == "Mesa"


def test_a_missing_package_is_named_with_what_brings_it():
    assert machine.installed("numpy", "Everything", "calvin")
    with pytest.raises(MissingDependency, match="Nobody needs no-such-package") as caught:
        machine.installed("no-such-package", "Nobody", "emoji")
    assert caught.value.fix == 'pip install "vlm4vla[emoji]"'
