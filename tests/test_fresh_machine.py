"""What `make test` is to somebody who has just cloned the repository, and what CI insists on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def session_of_suites(**settings: str) -> subprocess.CompletedProcess[str]:
    """A session of its own, with no setting but these; one of its tests needs fetched data."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("VLM4VLA_", "PYTEST_", "CI"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "tests/suites/test_suite.py", "-k", "shipped"],
        cwd=ROOT, env=own | settings, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_without_the_folders_their_tests_are_deselected_counted_and_nothing_fails():
    done = session_of_suites()
    assert done.returncode == 0, done.stdout
    assert "tests marked 'assets' deselected: VLM4VLA_ASSETS is not set" in done.stdout
    assert " passed" in done.stdout and "failed" not in done.stdout


def test_ci_does_not_go_on_without_them():
    done = session_of_suites(CI="true", VLM4VLA_ASSETS=str(ROOT / "no such folder"))
    assert done.returncode == 1
    assert "no such folder is no folder" in done.stdout + done.stderr


def test_a_test_without_a_mark_sees_no_fetched_data():
    """In CI too, where they lie beside the checkout: so CI runs what a fresh machine runs."""
    assert not os.environ.keys() & {"VLM4VLA_ASSETS", "VLM4VLA_GOLDEN"}
    assert not (Path(os.environ["VLM4VLA_CACHE"]) / "assets").exists()


@pytest.mark.assets
def test_a_test_that_is_marked_sees_what_it_is_marked_with():
    assert Path(os.environ["VLM4VLA_ASSETS"]).is_dir()
    assert "VLM4VLA_GOLDEN" not in os.environ
