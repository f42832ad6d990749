"""Upstream's own traces through upstream's own checker: the bar that everything else stands on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.calvin, pytest.mark.assets, pytest.mark.golden]

ROOT = Path(__file__).parents[2]
STEPS_ON_ANOTHER_LIBM = ("--steps", "5")
"""Where sin and cos differ in the last bit, contacts amplify it: see the traces' README."""


def check(factory: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder = Path(os.environ["VLM4VLA_GOLDEN"]) / "calvin"
    checker, traces = folder / "check_golden.py", folder / "golden_public.npz"
    return subprocess.run(
        [sys.executable, str(checker), str(traces), factory, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def same_libm() -> bool:
    return "libm same" in check("tests.golden_calvin:make", "--only", "a0", "--steps", "0").stdout


@pytest.fixture(scope="module")
def limit() -> tuple[str, ...]:
    return () if same_libm() else STEPS_ON_ANOTHER_LIBM


def test_every_trace_replays_with_state_error_0_and_equal_pictures(limit):
    run = check("tests.golden_calvin:make", *limit)
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "TOTAL 12 traces" in run.stdout
    if not limit:
        assert "max abs state error 0.000e+00 (bit-exact True)" in run.stdout
        assert "image mismatches 0/186, task-set mismatches 0" in run.stdout


def test_the_order_of_the_traces_does_not_matter(limit):
    run = check("tests.golden_calvin:make", "--reverse", "--no-images", *limit)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_checker_sees_a_world_that_is_not_upstreams():
    """Blocks loaded elsewhere: the state after the reset is the same, the pairs' order is not."""
    run = check("tests.golden_calvin:displaced", "--no-images", "--only", "a2")
    assert run.returncode == 1
    assert "FAIL" in run.stdout
