"""What of an environment is there, and bringing in the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlm4vla.core.assets import defect, search_folders
from vlm4vla.core.environment import Asset, Environment
from vlm4vla.core.errors import BadInput, InvalidFile, MissingDependency
from vlm4vla.environments import python_packages, system_packages, venv
from vlm4vla.environments.fetch import OnProgress, fetch
from vlm4vla.environments.interpreter import choose


@dataclass(frozen=True)
class Part:
    """One thing that an environment needs."""

    kind: str
    """`python`, `system` or `asset`."""
    name: str
    ready: bool
    detail: str
    fix: str = ""
    """What to type where it is not ready."""
    only_for: str = ""
    """The setting without which it is not needed; empty for what every run needs."""


def inspect(environment: Environment) -> list[Part]:
    """Every part of the environment as it stands on this machine. Changes nothing."""
    parts = []
    if environment.isolation == "venv":
        parts.append(_venv(environment))
    if environment.extra:
        parts.append(_python(environment))
    if environment.apt:
        parts.append(_system(environment))
    return parts + [_asset(environment, asset) for asset in environment.assets]


def install(
    environment: Environment,
    assets: Sequence[str],
    say: Callable[[str], None],
    progress: OnProgress,
) -> None:
    """Bring in what is missing: packages, and the assets that every run needs or `assets` names.

    Whatever can be installed is, then the first part that could not be is raised.
    """
    wanted = [environment.asset(name) for name in assets]
    wanted += [a for a in environment.assets if not a.only_for and a not in wanted]
    problems = []
    steps: list[Callable[[], object]] = []
    if environment.isolation == "venv":
        steps.append(lambda: venv.install(environment, say))
        steps.append(lambda: choose(environment.name, None))  # tries what was made
    if environment.extra:
        steps.append(lambda: python_packages.install(environment.extra, say))
    steps.append(lambda: system_packages.install(environment, say))
    steps += [_fetching(asset, say, progress) for asset in wanted]
    for step in steps:
        try:
            step()
        except BadInput as error:
            problems.append(error)
    for problem in problems[1:]:
        say(str(problem))
    if problems:
        raise problems[0]


def _fetching(
    asset: Asset, say: Callable[[str], None], progress: OnProgress
) -> Callable[[], object]:
    def run() -> None:
        say(f"asset {asset.name}: {fetch(asset, progress)}")

    return run


def _venv(environment: Environment) -> Part:
    try:
        problem = venv.defect(environment)
    except InvalidFile as error:
        return Part("python", "venv", False, error.message, error.fix)
    fix = f"bench env install {environment.name}" if problem else ""
    return Part("python", "venv", not problem, problem or str(venv.home(environment)), fix)


def _python(environment: Environment) -> Part:
    problems = python_packages.unmet(environment.extra)
    versions = [
        f"{r.name} {python_packages.installed(r.name)}"
        for r in python_packages.requirements(environment.extra)
    ]
    return Part(
        "python",
        environment.extra,
        not problems,
        ", ".join(problems or versions),
        f"bench env install {environment.name}" if problems else "",
    )


def _system(environment: Environment) -> Part:
    name = ", ".join(environment.apt)
    try:
        lack = system_packages.lacking(environment)
    except MissingDependency as unknown:
        return Part("system", name, False, unknown.message, unknown.fix)
    if lack:
        line = system_packages.command_line(environment.name)
        return Part("system", name, False, str(lack), line)
    return Part("system", name, True, "installed")


def _asset(environment: Environment, asset: Asset) -> Part:
    problems = []
    for folder in search_folders(asset):
        problem = defect(folder, asset)
        if problem is None:
            return Part("asset", asset.name, True, str(folder), only_for=asset.only_for)
        problems.append(problem)
    chosen = f" --asset {asset.name}" if asset.only_for else ""
    fix = f"bench env install {environment.name}{chosen}"
    return Part("asset", asset.name, False, "; ".join(problems), fix, asset.only_for)
