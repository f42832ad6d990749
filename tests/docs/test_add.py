"""The pages that say how to add something: their packages are built and used as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FILE = re.compile(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INSTALL = "pip install --no-deps -e ."


class Page:
    """A page's files, written to a folder, and its package installed beside the tests' own."""

    def __init__(self, name: str, folder: Path) -> None:
        text = (DOCS / name).read_text()
        self.folder, self.packages = folder, folder / "site"
        for path, content in FILE.findall(text):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        lines = [line.strip() for block in COMMANDS.findall(text) for line in block.splitlines()]
        assert lines.pop(0) == INSTALL
        self.commands = lines
        words = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(self.packages)]
        self.run(sys.executable, "-m", "pip", "install", *words, ".")

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, timeout=300,
            env=os.environ | {"PYTHONPATH": str(self.packages)},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def typed(self, command: str) -> str:
        """A command line of the page."""
        program, *words = command.split()
        start = {"bench": ["-m", "vlm4vla.cli"], "python": []}[program]
        return self.run(sys.executable, *start, *words)


@pytest.fixture
def page(request, tmp_path):
    return Page(request.param, tmp_path)


@pytest.mark.parametrize("page", ["add_a_simulator.md"], indirect=True)
def test_a_simulator(page):
    said = [page.typed(command) for command in page.commands]
    assert "5/5 episodes" in said[0] and "random" in said[1] and len(said) == 3
    assert "reach" in page.typed("bench list simulators")


@pytest.mark.parametrize("page", ["add_a_policy.md"], indirect=True)
def test_a_policy(page):
    said = [page.typed(command) for command in page.commands]
    assert "4/4 episodes" in said[0] and len(said) == 2
    assert "towards" in page.typed("bench list policies")
