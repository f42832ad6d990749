"""Which Python the hosts of a simulator run in: made as its environment says, chosen, and tried.

Where a simulator cannot share the harness's packages, its own virtual environment lies in the
download cache and holds what the environment's `requirements.txt` pins, and nothing that the file
does not name: neither pip nor, unless pinned, what a package asks for itself. This package enters
it as a path to a copy of the part that simulator hosts import.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from vlm4vla.core.assets import cache_folder
from vlm4vla.core.environment import Environment, environment_names, load_environment
from vlm4vla.core.errors import InvalidFile, MissingDependency, MissingEnvironment, WrongPython
from vlm4vla.core.files import alone
from vlm4vla.core.source import copied_source, own_hash
from vlm4vla.environments import processes
from vlm4vla.environments.processes import MARK, ask
from vlm4vla.environments.python_packages import INSTALL_LIMIT_S, read_pins
from vlm4vla.rollout.hosts.child import Interpreter, entrance, foreign

_PINS = "requirements.txt"
VERSION = "3.11"
_LIMIT_S = 120.0
# Any Python must be able to say which one it is; the rest is asked of the right one.
_PROBE = """
import json, sys
facts, problem = {"python": ".".join(map(str, sys.version_info[:3]))}, ""
if facts["python"].startswith(sys.argv[1]):
    try:
        import numpy, vlm4vla.rollout.hosts.host
    except ImportError as error:
        problem = str(error)
    from importlib.metadata import distributions
    for package in distributions():
        facts[str(package.name).lower().replace("_", "-")] = package.version
print("\\n" + sys.argv[2] + json.dumps({"facts": facts, "problem": problem}))
"""


def choose(simulator: str, brought: str | None) -> tuple[Interpreter | None, Mapping[str, str]]:
    """The Python for the hosts of this simulator, and the versions of it and of its packages.

    Args:
        simulator: its registered name, which is also that of its environment.
        brought: path of an interpreter to use in place of the environment's.

    Returns:
        None, and nothing, where hosts run in the harness's own Python.

    Raises:
        MissingEnvironment: there is no such Python, it does not answer, or the simulator's own is
            not as its pins say.
        WrongPython: it is of another version.
        MissingDependency: it lacks what every host imports.
    """
    if brought is not None:
        mend = f"Name a Python {VERSION} with numpy and the simulator's packages: --python PATH"
        command = shutil.which(os.path.expanduser(brought))
        if command is None:
            raise MissingEnvironment(f"There is no Python at '{brought}'.", mend)
        chosen = Interpreter(str(Path(command).absolute()), own_hash(), mend)
        return chosen, _tried(chosen, f"{chosen.python} -m pip install numpy")
    environment = load_environment(simulator) if simulator in environment_names() else None
    if environment is None or environment.isolation == "main":
        return None, {}
    mend = f"bench env install {simulator}"
    if problem := defect(environment):
        raise MissingEnvironment(f"The Python of '{simulator}' is not ready: {problem}.", mend)
    enter(environment)
    chosen = Interpreter(str(python(environment)), own_hash(), mend)
    return chosen, _tried(chosen, mend)


def _tried(chosen: Interpreter, remedy: str) -> Mapping[str, str]:
    """The versions it states; raises as `choose` does. `remedy` brings in what it lacks."""
    arguments = ["-c", f"{entrance(chosen.source)}\n{_PROBE}", f"{VERSION}.", MARK]
    answer = ask(arguments, _LIMIT_S, chosen.python, foreign(dict(os.environ)))
    name, version = chosen.python, answer.facts.get("python", "")
    if not version:
        text = f"{name} cannot be used as Python: {answer.problem}."
        raise MissingEnvironment(text, chosen.mend)
    if not version.startswith(f"{VERSION}."):
        text = f"{name} is Python {version}; simulators run in {VERSION}."
        raise WrongPython(text, chosen.mend)
    if answer.problem:
        text = f"{name} lacks what simulator hosts import: {answer.problem}."
        raise MissingDependency(text, remedy)
    return answer.facts


def home(environment: Environment) -> Path:
    """The folder of its virtual environment."""
    return cache_folder("venvs") / environment.name


def python(environment: Environment) -> Path:
    """The interpreter of its virtual environment."""
    return home(environment) / "bin" / "python"


def defect(environment: Environment) -> str:
    """What of that is not as the pins say, told from its files alone; empty if nothing is wrong.

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
    """Make its virtual environment where anything is wrong with it, from nothing.

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
            _run("pip", *into, "install", "--no-deps", "-r", environment.folder / _PINS)
    enter(environment)


def enter(environment: Environment) -> None:
    """Let its own commands find the vlm4vla that is running; hosts are told by their supervisor."""
    path = _site(environment) / "vlm4vla.pth"
    line = f"{copied_source(own_hash())}\n"
    if not path.is_file() or path.read_text() != line:
        with contextlib.suppress(OSError):  # another user's, or read-only: hosts do not need it
            path.write_text(line)


def _pins(environment: Environment) -> dict[str, str]:
    path = environment.folder / _PINS
    if not path.is_file():
        raise InvalidFile(f"Environment '{environment.name}' is isolated, but {path} is missing.")
    return read_pins(path)


def _site(environment: Environment) -> Path:
    return home(environment) / "lib" / "python3.11" / "site-packages"


def _run(module: str, *arguments: str | Path) -> None:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    variables = foreign(dict(os.environ))  # what PYTHONPATH has, the venv has not
    processes.install(command, "The environment could not be made", INSTALL_LIMIT_S, variables)
