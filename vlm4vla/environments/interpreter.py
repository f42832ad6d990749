"""Which Python the hosts of a simulator run in: chosen, and tried before anything starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from vlm4vla.core.environment import environment_names, load_environment
from vlm4vla.core.errors import MissingDependency, MissingEnvironment, WrongPython
from vlm4vla.core.source import own_hash
from vlm4vla.environments import venv
from vlm4vla.environments.processes import MARK, ask
from vlm4vla.rollout.hosts.child import Interpreter, entrance, foreign

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
    if problem := venv.defect(environment):
        raise MissingEnvironment(f"The Python of '{simulator}' is not ready: {problem}.", mend)
    venv.enter(environment)
    chosen = Interpreter(str(venv.python(environment)), own_hash(), mend)
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
