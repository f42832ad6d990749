"""The Python packages that an extra of this package brings: what is missing, installing it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from vlm4vla.core.environment import installed
from vlm4vla.core.errors import InvalidFile
from vlm4vla.core.files import shipped
from vlm4vla.environments import processes

DISTRIBUTION = "vlm4vla"
INSTALL_LIMIT_S = 3600.0


def constraints_file() -> Path | None:
    """The pinned versions, where this is a checkout; an installed wheel has none."""
    path = shipped("envs").parent / "constraints.txt"
    return path if path.is_file() else None


def pins() -> dict[str, str]:
    """Canonical package name -> pinned version; empty without a constraints file."""
    path = constraints_file()
    return read_pins(path) if path else {}


def read_pins(path: Path) -> dict[str, str]:
    """Canonical package name -> version, of a file in which every line must pin one exactly.

    Raises InvalidFile at the first line that does not.
    """
    pins: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if not text:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            requirement = Requirement("unreadable")
        exact = [s.version for s in requirement.specifier if s.operator == "=="]
        if len(requirement.specifier) != 1 or not exact or exact[0].endswith(".*"):
            raise InvalidFile(
                f"{path}, line {number}: '{text}' does not pin one version of a package.",
                "Write it as name==1.2.3, and name what the package needs in lines of their own.",
            )
        if requirement.marker is None or requirement.marker.evaluate():
            pins[canonicalize_name(requirement.name)] = exact[0]
    return pins


def requirements(extra: str = "") -> list[Requirement]:
    """What the base install needs or, with `extra`, what that extra adds, extras resolved."""
    return list(_requirements(extra, set()))


def _requirements(extra: str, seen: set[str]) -> Iterator[Requirement]:
    if extra in seen:
        return
    seen.add(extra)
    for line in requires(DISTRIBUTION) or []:
        requirement = Requirement(line)
        conditional = requirement.marker is not None and "extra" in str(requirement.marker)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if not applies or conditional != bool(extra):
            continue
        if canonicalize_name(requirement.name) == DISTRIBUTION:
            for nested in sorted(requirement.extras):
                yield from _requirements(nested, seen)
        else:
            yield requirement


def unmet(extra: str = "") -> list[str]:
    """Requirements that are not met, each with what is installed instead."""
    problems = []
    for requirement in requirements(extra):
        found = installed(requirement.name)
        if found is None:
            problems.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(found, prereleases=True):
            problems.append(f"{requirement.name} is {found}, not {requirement.specifier}")
    return problems


def pip_command(extra: str) -> list[str]:
    """The command that installs what the extra needs into the running interpreter."""
    constraints = constraints_file()
    chosen = ["-c", str(constraints)] if constraints else []
    wanted = [f"{r.name}{r.specifier}" for r in requirements(extra)]
    return [sys.executable, "-m", "pip", "install", *chosen, *wanted]


def install(extra: str, say: Callable[[str], None]) -> None:
    """Install what the extra lacks; MissingDependency with pip's last words where that fails."""
    if problems := unmet(extra):
        say(f"{', '.join(problems)}: installing")
        failure = f"pip could not install the extra '{extra}'"
        processes.install(pip_command(extra), failure, INSTALL_LIMIT_S)
