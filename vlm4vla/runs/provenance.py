"""Where and with what a run was made: shown beside its numbers, never deciding about them."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from vlm4vla.core import __version__
from vlm4vla.core.environment import installed
from vlm4vla.core.episode import JSON

_PACKAGES = ("numpy", "ray", "torch", "transformers", "mani-skill", "sapien", "pybullet", "mujoco")


def collect(command: str) -> Mapping[str, JSON]:
    """The facts of this machine and this checkout."""
    return {
        "command": command,
        "harness": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "packages": {name: found for name in _PACKAGES if (found := installed(name))},
    }


def relevant(versions: Mapping[str, str]) -> Mapping[str, JSON]:
    """Of another Python's packages those that are noted of this one, and its own version."""
    return {name: versions[name] for name in ("python", *_PACKAGES) if name in versions}


def command_line() -> str:
    """The command as the user typed it, or the script that called the Python API."""
    if not sys.argv:
        return "python"
    program = Path(sys.argv[0])
    name = "bench" if program.parent.name == "cli" else program.name  # python -m vlm4vla.cli
    return shlex.join([name, *sys.argv[1:]])


def _commit() -> str:
    """Commit of the checkout the package runs from, `+` behind it where files differ."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return ""
    try:
        head = _git(here, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
