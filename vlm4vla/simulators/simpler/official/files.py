"""Upstream's two repositories as they are on this machine, and the tree they run from here.

SAPIEN 2 writes the collision shapes it has worked out beside the meshes, and reads them again even
where the mesh has changed since. So each process has a tree of links of its own, in which the
stand-ins of missing meshes lie where upstream looks for them.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.assets import Holding, cache_folder, hold, locate
from vlm4vla.core.environment import load_environment
from vlm4vla.core.errors import MissingAsset
from vlm4vla.simulators.simpler.google.words import ELSEWHERE
from vlm4vla.simulators.simpler.official.options import ENVIRONMENT, OfficialOptions

_REHOSTS = {"widowx": "simpler_bridge", "google": "simpler_google"}
"""Robot -> the environment that says which of upstream's data files its tasks need."""
_PACKAGE, _DATA = "mani_skill2_real2sim", "data"


@dataclass(frozen=True)
class Checkouts:
    """Both repositories, their code and robots checked file by file."""

    simpler_env: Path
    real2sim: Path


def checkouts() -> Checkouts:
    """Where they are. Raises MissingAsset, naming the first file that is missing or altered."""
    return Checkouts(locate(ENVIRONMENT, "simpler_env"), locate(ENVIRONMENT, "real2sim"))


def facts(options: OfficialOptions) -> Mapping[str, str]:
    """What stands in for a data file that the options' episodes need, as `stand_in.<file>`.

    Raises MissingAsset, naming every file that is absent.
    """
    found: dict[str, str] = {}
    absent = []
    sources = _sources(options, checkouts())
    unneeded = ELSEWHERE[options.variant] if options.robot == "google" else ()
    for name in sources[0].asset.files:
        if any(part in name for part in unneeded):
            continue
        chosen = _chosen(name, sources)
        if chosen is None:
            absent.append(name)
        else:
            found |= chosen[1]
    if absent:
        fix = f"bench env install {_REHOSTS[options.robot]}"
        if options.variant == "aggregation":
            fix += ", or leave their settings out: --set variant=core"
        raise MissingAsset(f"'{ENVIRONMENT}' lacks {', '.join(absent)}.", fix)
    return found


def assembled(options: OfficialOptions) -> Path:
    """A folder of links, this process's own, with upstream's package and all its data in it."""
    home = cache_folder("trees") / ENVIRONMENT / platform.node()
    for other in home.glob("*"):  # of processes that were killed
        if not Path("/proc", other.name).exists():
            shutil.rmtree(other, ignore_errors=True)
    tree, upstream = home / str(os.getpid()), checkouts()
    shutil.rmtree(tree, ignore_errors=True)
    for folder in (_PACKAGE, _DATA):
        for path in _below(upstream.real2sim / folder):
            _link(tree / path.relative_to(upstream.real2sim), path)
    sources = _sources(options, upstream)
    for name in sources[0].asset.files:
        chosen = _chosen(name, sources)
        if chosen is not None:
            # A mesh of another kind keeps its ending, by which SAPIEN tells how to read it.
            _link((tree / _DATA / name).with_suffix(chosen[0].suffix), chosen[0])
    return tree


def _sources(options: OfficialOptions, upstream: Checkouts) -> Sequence[Holding]:
    """Where the robot's data files may be: in upstream's repository, or where the re-host's are."""
    environment = _REHOSTS[options.robot]
    asset = load_environment(environment).asset("real2sim")
    own = Holding(environment, asset, upstream.real2sim / _DATA)
    try:
        return own, hold(environment, "real2sim")
    except MissingAsset:  # upstream's repository may have all of them
        return (own,)


def _chosen(name: str, sources: Sequence[Holding]) -> tuple[Path, Mapping[str, str]] | None:
    """The file where it is upstream's, or else what stands in for it, and what that is."""
    found = []
    for source in sources:
        try:
            found.append((source.path(name), source.facts([name])))
        except MissingAsset:
            continue
    return min(found, key=lambda one: bool(one[1]), default=None)


def _below(folder: Path) -> Iterator[Path]:
    return (
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )


def _link(place: Path, file: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(file.resolve())
