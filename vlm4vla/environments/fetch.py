"""Assets from the net into the download cache: whole and checked, or not at all."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from http.client import HTTPException
from pathlib import Path
from typing import IO

from vlm4vla.core.assets import ASSETS_VARIABLE, cache_folder, defect, find
from vlm4vla.core.environment import Asset
from vlm4vla.core.errors import MissingAsset

SILENCE_S = 30.0
"""A server that sends nothing for so long is given up."""
LIMIT_S = 3600.0
"""A download may take so long in all."""

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes received so far and, where the server says it, of how many."""


def fetch(asset: Asset, progress: OnProgress = lambda done, total: None) -> Path:
    """The folder that holds the asset, downloaded if none of the usual places has it.

    Raises MissingAsset with the address and the folder to fill by hand.
    """
    folder, _ = find(asset)
    if folder is not None:
        return folder
    if not asset.url:
        raise _failed(asset, "it cannot be downloaded")
    target = cache_folder() / asset.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename within one filesystem.
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as scratch:
            archive = Path(scratch) / "download"
            _download(asset.url, archive, progress)
            staged = Path(scratch) / "asset"
            _unpack(archive, asset, staged)
            problem = defect(staged, asset)
            if problem is not None:
                raise _failed(asset, f"what was downloaded is not what is wanted: {problem}")
            if target.exists():
                os.rename(target, Path(scratch) / "replaced")
            os.rename(staged, target)
    except (OSError, HTTPException, zipfile.BadZipFile, tarfile.TarError, KeyError) as error:
        raise _failed(asset, str(error) or type(error).__name__) from error
    return target


def _download(url: str, target: Path, progress: OnProgress) -> None:
    end = time.monotonic() + LIMIT_S
    opened = urllib.request.urlopen(url, timeout=SILENCE_S)
    with closing(opened) as answer, target.open("wb") as out:
        length = answer.headers.get("Content-Length")
        total = int(length) if length else None
        done = 0
        while block := answer.read(1 << 18):
            out.write(block)
            done += len(block)
            progress(done, total)
            if time.monotonic() > end:
                raise TimeoutError(f"the download took longer than {LIMIT_S:g} s")
        if total is not None and done < total:
            raise ConnectionError(f"the connection ended after {done} of {total} bytes")


def _unpack(archive: Path, asset: Asset, target: Path) -> None:
    """Take the asset's files, and no others, out of the download."""
    member: Callable[[str], IO[bytes] | None]
    with ExitStack() as stack:
        if zipfile.is_zipfile(archive):
            member = stack.enter_context(zipfile.ZipFile(archive)).open
        elif tarfile.is_tarfile(archive):
            member = stack.enter_context(tarfile.open(archive)).extractfile
        elif len(asset.files) == 1:
            target.mkdir()
            os.rename(archive, target / next(iter(asset.files)))
            return
        else:
            raise tarfile.ReadError("the download is neither a zip nor a tar archive")
        for name in asset.files:
            source = member(f"{asset.strip.rstrip('/')}/{name}" if asset.strip else name)
            if source is None:
                raise KeyError(f"'{name}' is no file in the archive")
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            with source, (target / name).open("wb") as out:
                shutil.copyfileobj(source, out)


def _failed(asset: Asset, reason: str) -> MissingAsset:
    address = f" from {asset.url}" if asset.url else ""
    return MissingAsset(
        f"Asset '{asset.name}' could not be fetched{address}: {reason}.",
        f"Put its files by hand into {cache_folder() / asset.path}\n"
        f"or into the folder '{asset.path}' under ${ASSETS_VARIABLE}.",
    )
