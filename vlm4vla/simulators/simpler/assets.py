"""Assets that may be incomplete or replaced: what each of their files is, said for every run.

Where a benchmark's own files cannot all be had, what stands in for them is used, and the run says
so: a file is the benchmark's own, a known stand-in, or not verified.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from vlm4vla.core.assets import defect, digest, roots
from vlm4vla.core.comparability import STAND_IN
from vlm4vla.core.environment import Asset, load_environment
from vlm4vla.core.errors import MissingAsset


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
