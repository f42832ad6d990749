"""What the simulators' plugins ask of a machine: Python packages, and a renderer that draws."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass

from vlm4vla.core import environment
from vlm4vla.core.errors import MissingDependency

TIMEOUT_S = 90.0


def installed(package: str, wanted_by: str, extra: str) -> str:
    """The package's version; MissingDependency with the extra of ours that brings it."""
    if (found := environment.installed(package)) is None:
        raise MissingDependency(
            f"{wanted_by} needs {package}, which is not installed.",
            f'pip install "vlm4vla[{extra}]"',
        )
    return found


@dataclass(frozen=True)
class RendererReport:
    """What a child found that was to draw."""

    device: str = ""
    """Name of the device that draws, as its driver gives it."""
    problem: str = ""

    @property
    def works(self) -> bool:
        """It drew."""
        return not self.problem


def try_renderer(code: str, device: str = "DEVICE") -> RendererReport:
    """Whether a renderer draws, asked in a throw-away process.

    A driver that does not suit may raise, hang or take the whole process down.

    Args:
        code: what the child runs. It takes a picture, then prints `DREW`.
        device: what stands before `=` and the device's name in a line of what it prints.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return RendererReport(problem=f"it did not answer in {TIMEOUT_S:g} s")
    name = re.search(rf"^{device}=(.+)$", child.stdout, re.MULTILINE)
    if "DREW" in child.stdout and name:
        return RendererReport(name[1].strip())
    last = (child.stderr.strip().splitlines() or ["no message"])[-1]
    died = f"killed by signal {-child.returncode}: " if child.returncode < 0 else ""
    return RendererReport(problem=f"{died}{last}")
