"""What of an environment is there, and bringing in the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from vlm4vla.core.assets import find, hold
from vlm4vla.core.environment import Asset, Environment, installed
from vlm4vla.core.errors import BadInput, MissingAsset
from vlm4vla.environments import interpreter, python_packages, system_packages
from vlm4vla.environments.fetch import OnProgress, fetch


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
    mend, extra = f"bench env install {environment.name}", environment.extra
    parts = []
    if environment.isolation == "venv":
        home = str(interpreter.home(environment))
        parts.append(_part("python", "venv", home, lambda: interpreter.defect(environment), mend))
    if extra:
        names = [requirement.name for requirement in python_packages.requirements(extra)]
        versions = ", ".join(f"{name} {installed(name)}" for name in names)
        parts.append(
            _part("python", extra, versions, lambda: ", ".join(python_packages.unmet(extra)), mend)
        )
    if environment.apt:
        name, line = ", ".join(environment.apt), system_packages.command_line(environment.name)
        lack = partial(system_packages.lacking, environment)
        parts.append(_part("system", name, "installed", lack, line))
    return parts + [_asset(environment, asset, mend) for asset in environment.assets]


def _asset(environment: Environment, asset: Asset, mend: str) -> Part:
    """Ready where its files are there, or what may stand in for them."""
    folder, problem = find(asset)
    there = str(folder) if folder else _replaced(environment, asset) if asset.stand_ins else ""
    fix = "" if there else f"{mend} --asset {asset.name}" if asset.only_for else mend
    only_for = asset.only_for
    if not there and asset.rare:
        usual = {name: digest for name, digest in asset.files.items() if name not in asset.rare}
        if without := _replaced(environment, replace(asset, files=usual)):
            problem, only_for = f"{without}; without {', '.join(asset.rare)}", asset.rare_for
    return Part("asset", asset.name, bool(there), there or problem, fix, only_for)


def _replaced(environment: Environment, asset: Asset) -> str:
    """Where an asset is whose files have others in their place; empty if one has none."""
    try:
        held = hold(environment.name, asset.name)
        others = [name.partition(".")[2] for name in held.facts(asset.files)]
    except MissingAsset:
        return ""
    return f"{held.folder}, not upstream's: {', '.join(others)}"


def _part(kind: str, name: str, there: str, defect: Callable[[], object], mend: str) -> Part:
    """A part that is `there` unless `defect` says what is wrong, or raises it with another mend."""
    try:
        problem = str(defect())
    except BadInput as error:
        problem, mend = error.message, error.fix
    return Part(kind, name, not problem, problem or there, mend if problem else "")


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

    def bring(asset: Asset) -> None:
        say(f"asset {asset.name}: {fetch(asset, progress)}")

    steps: list[Callable[[], object]] = []
    if environment.isolation == "venv":
        steps.append(partial(interpreter.install, environment, say))
        steps.append(partial(interpreter.choose, environment.name, None))  # tries what was made
    if environment.extra:
        steps.append(partial(python_packages.install, environment.extra, say))
    steps.append(partial(system_packages.install, environment, say))
    steps += [partial(bring, asset) for asset in wanted]
    problems = []
    for step in steps:
        try:
            step()
        except BadInput as error:
            problems.append(error)
    for problem in problems[1:]:
        say(str(problem))
    if problems:
        raise problems[0]
