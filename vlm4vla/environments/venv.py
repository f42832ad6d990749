"""The virtual environment of a simulator that cannot share the harness's packages.

It lies in the download cache and holds what the environment's `requirements.txt` pins, and nothing
that the file does not name: neither pip nor, unless pinned, what a package asks for itself. This
package enters it as a path to a copy of the part that simulator hosts import.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from vlm4vla.core.assets import cache_folder
from vlm4vla.core.environment import Environment
from vlm4vla.core.errors import InvalidFile
from vlm4vla.core.files import alone
from vlm4vla.core.source import copied_source, own_hash
from vlm4vla.environments import processes
from vlm4vla.environments.python_packages import INSTALL_LIMIT_S, read_pins
from vlm4vla.rollout.hosts.child import foreign

REQUIREMENTS = "requirements.txt"


def home(environment: Environment) -> Path:
    """Its folder."""
    return cache_folder("venvs") / environment.name


def python(environment: Environment) -> Path:
    """Its interpreter."""
    return home(environment) / "bin" / "python"


def defect(environment: Environment) -> str:
    """What of it is not as the pins say, told from its files alone; empty if nothing is wrong.

    Raises InvalidFile where the pins cannot be read.
    """
    pins = _pins(environment)
    if not python(environment).exists():
        return f"{home(environment)} is not there"
    there: dict[str, str | None] = {
        canonicalize_name(package.name): package.version
        for package in distributions(path=[str(_site(environment))])
    }
    return "; ".join(
        f"{name} is {there.get(name) or 'missing'}, not {version}"
        for name, version in pins.items()
        # A build such as 2.13.0+cpu is of the version 2.13.0.
        if not SpecifierSet(f"=={version}").contains(there.get(name) or "0", prereleases=True)
    )


def install(environment: Environment, say: Callable[[str], None]) -> None:
    """Make it where anything is wrong with it, from nothing.

    Raises:
        InvalidFile: its requirements are not all pinned.
        MissingDependency: with the last words of what failed.
    """
    pins = _pins(environment)
    with alone(home(environment)):
        if problem := defect(environment):
            say(f"{problem}: making it with {len(pins)} packages")
            shutil.rmtree(home(environment), ignore_errors=True)
            _run("venv", "--without-pip", home(environment))
            into = "--python", python(environment)
            _run("pip", *into, "install", "--no-deps", "-r", environment.folder / REQUIREMENTS)
    enter(environment)


def enter(environment: Environment) -> None:
    """Let its own commands find the vlm4vla that is running; hosts are told by their supervisor."""
    path = _site(environment) / "vlm4vla.pth"
    line = f"{copied_source(own_hash())}\n"
    if not path.is_file() or path.read_text() != line:
        with contextlib.suppress(OSError):  # another user's, or read-only: hosts do not need it
            path.write_text(line)


def _pins(environment: Environment) -> dict[str, str]:
    path = environment.folder / REQUIREMENTS
    if not path.is_file():
        raise InvalidFile(f"Environment '{environment.name}' is isolated, but {path} is missing.")
    return read_pins(path)


def _site(environment: Environment) -> Path:
    return home(environment) / "lib" / "python3.11" / "site-packages"


def _run(module: str, *arguments: str | Path) -> None:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    variables = foreign(dict(os.environ))  # what PYTHONPATH has, the venv has not
    processes.install(command, "The environment could not be made", INSTALL_LIMIT_S, variables)
