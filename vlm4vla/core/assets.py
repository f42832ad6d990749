"""Where the data files of a simulator are: found on disk and checked by content, never trusted.

Two places are searched: `$VLM4VLA_ASSETS/<path>`, then the download cache that `bench env install`
fills (`$VLM4VLA_CACHE`, by default the platform's cache folder).

Where a benchmark's own files cannot all be had, what stands in for them may be used, and the run
says so: a file is the benchmark's own, a known stand-in, or not verified (`hold`).
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlm4vla.core.comparability import STAND_IN
from vlm4vla.core.environment import Asset, load_environment
from vlm4vla.core.errors import MissingAsset

ASSETS_VARIABLE = "VLM4VLA_ASSETS"
CACHE_VARIABLE = "VLM4VLA_CACHE"


def locate(environment: str, asset: str) -> Path:
    """The folder that holds the asset, every file of it checked by its digest.

    Raises MissingAsset, naming the first missing or altered file and the command that fetches it.
    """
    wanted = load_environment(environment).asset(asset)
    folder, problem = find(wanted)
    if folder is None:
        raise MissingAsset(
            f"Asset '{asset}' of '{environment}' is not usable: {problem}.",
            f"bench env install {environment}" + (f" --asset {asset}" if wanted.only_for else ""),
        )
    return folder


def find(asset: Asset) -> tuple[Path | None, str]:
    """The first folder that holds the asset unaltered, or None and what is wrong with each."""
    problems = []
    for root in roots():
        problem = defect(root / asset.path, asset)
        if problem is None:
            return root / asset.path, ""
        problems.append(problem)
    return None, "; ".join(problems)


def roots() -> list[Path]:
    """Where assets are searched, in order."""
    own = os.environ.get(ASSETS_VARIABLE)
    return [*([Path(own).expanduser()] if own else []), cache_folder()]


Kind = Literal["assets", "layers", "shaders", "source", "trees", "venvs"]


def cache_folder(kind: Kind = "assets") -> Path:
    """Where what was fetched or made is kept; absolute."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser().absolute() / kind
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vlm4vla" / kind
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "vlm4vla" / kind


def defect(folder: Path, asset: Asset) -> str | None:
    """What is wrong with the asset's files in `folder`, or None if all are there and unaltered."""
    if not folder.is_dir():
        return f"{folder} does not exist"
    for name, expected in asset.files.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if (found := digest(path, expected)) != expected:
            kind = "sha256" if len(expected) == 64 else "git blob id"
            return f"{path} is altered (its {kind} is {found[:12]}, not {expected[:12]})"
    return None


def digest(path: Path, like: str) -> str:
    """The file's sha256, or its git blob id where `like` is one; hexadecimal."""
    return _read_once(path, len(like) == 64)


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file; unchanged files (size and time) are not read twice."""
    return _read_once(path, True)


def _read_once(path: Path, plain: bool) -> str:
    state = path.stat()
    return _digest(path.resolve(), state.st_size, state.st_mtime_ns, plain)


@functools.cache
def _digest(path: Path, size: int, modified: int, plain: bool) -> str:
    if not plain:  # as `git hash-object` does it
        return hashlib.sha1(
            b"blob %d\0" % size + path.read_bytes(), usedforsecurity=False
        ).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Holding:
    """A folder with an asset in it, whole or not."""

    environment: str
    asset: Asset
    folder: Path

    def path(self, name: str) -> Path:
        """The file of that name, or what stands in for it. Raises MissingAsset, naming it."""
        found, _ = self._found(name)
        return found

    def facts(self, names: Collection[str] = ()) -> Mapping[str, str]:
        """Comparability facts of these files, or of all: `stand_in.<file>` -> what it is.

        Files of the benchmark's own need no word. Raises MissingAsset.
        """
        facts = {}
        for name in names or self.asset.files:
            path, words = self._found(name)
            own = self.asset.files[name]
            if not words and (found := digest(path, own)) != own:
                words = f"not verified: {found[:12]}"
            if words:
                facts[f"{STAND_IN}.{'/'.join(Path(name).parts[-2:])}"] = words
        return facts

    def _found(self, name: str) -> tuple[Path, str]:
        """A file and, where it is a known stand-in, what that is."""
        path = self.folder / name
        stand_ins = [one for one in self.asset.stand_ins if one.file == name]
        if path.is_file() and digest(path, self.asset.files[name]) == self.asset.files[name]:
            return path, ""
        for one in stand_ins:
            other = self.folder / (one.path or name)
            if other.is_file() and digest(other, one.digest) == one.digest:
                return other, one.words
        for other in (path, *(self.folder / one.path for one in stand_ins if one.path)):
            if other.is_file():
                return other, ""
        raise MissingAsset(
            f"'{self.environment}' lacks {path}.", f"bench env install {self.environment}"
        )


def hold(environment: str, asset: str) -> Holding:
    """Where the asset is: the first place that has it unaltered, or else the first that has it.

    Raises MissingAsset where no place does.
    """
    wanted = load_environment(environment).asset(asset)
    folders = [root / wanted.path for root in roots()]
    there = [folder for folder in folders if folder.is_dir()]
    whole = [folder for folder in there if defect(folder, wanted) is None]
    if not there:
        raise MissingAsset(
            f"Asset '{asset}' of '{environment}' is not there: {', '.join(map(str, folders))}.",
            f"bench env install {environment}",
        )
    return Holding(environment, wanted, (whole or there)[0])
