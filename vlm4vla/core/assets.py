"""Where the data files of a simulator are: found on disk and checked by content, never trusted.

Two places are searched: `$VLM4VLA_ASSETS/<path>`, then the download cache that `bench env install`
fills (`$VLM4VLA_CACHE`, by default the platform's cache folder).
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from pathlib import Path
from typing import Literal

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
