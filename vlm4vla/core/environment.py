"""What a simulator needs on a machine, as `envs/<simulator>/env.toml` says it.

```toml
[environment]
name = "grinningface"
summary = "..."
isolation = "main"            # or "venv": a Python of its own, as requirements.txt beside pins it
extra = "emoji"               # in "main": extra of this package that brings its Python packages
apt = ["fonts-noto-color-emoji"]
optional = true               # `bench doctor` notes what lacks, and finds nothing wrong with it
mesa = 24                     # lowest Mesa whose CPU renderer works; left out: no renderer

[[assets]]
name = "widowx250s"
path = "widowx250s"           # folder under VLM4VLA_ASSETS or the download cache
url = "https://..."           # zip, tar or a single file; left out: cannot be fetched
strip = "Folder-1.0"          # folder inside the archive that becomes `path`
licence = "..."
only_for = "labels=paligemma" # left out: every run needs it
rare = ["big.glb"]            # files that only runs with `rare_for` need
rare_for = "variant=all"
[assets.files]
"wx250s.urdf" = "sha256 of the file, or its git blob id"

[[assets.stand_ins]]          # what may be used in a file's place; runs that do are marked
file = "stage.glb"
path = "box.glb"              # where it lies in the folder; left out: where the file would
digest = "sha256 of it, or its git blob id"
words = "a box as high as the table"
```

Another package names the folder of its own under the entry-point group `vlm4vla.environments`, as
`simulator = "its_package"`. Read with the standard library alone: simulator hosts need it too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from vlm4vla.core.errors import BadInput, InvalidFile, UnknownName
from vlm4vla.core.files import shipped
from vlm4vla.core.formats import read_fields, refuse_unknown

_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")


@dataclass(frozen=True)
class StandIn:
    """A file that may be used in the place of an asset's own."""

    file: str
    """Whose place it takes."""
    digest: str
    words: str
    """What it is."""
    path: str = ""
    """Where it lies in the folder; empty: where the file would."""


@dataclass(frozen=True)
class Asset:
    """A folder of data files that cannot ship with the package."""

    name: str
    path: str
    files: Mapping[str, str]
    """Path inside the folder -> sha256 of the content, or its git blob id, hexadecimal."""
    licence: str
    url: str = ""
    strip: str = ""
    only_for: str = ""
    """The setting without which it is not needed, e.g. `labels=paligemma`; empty: always needed."""
    stand_ins: tuple[StandIn, ...] = ()
    rare: tuple[str, ...] = ()
    """Files that are needed only for `rare_for`, another such setting."""
    rare_for: str = ""

    def __post_init__(self) -> None:
        """Its files lie inside it, and each has its digest. Raises BadInput."""
        own = [(one.path or one.file, one.digest) for one in self.stand_ins]
        for name, digest in (*self.files.items(), *own):
            if name.startswith("/") or ".." in Path(name).parts:
                raise BadInput(f"The asset's file '{name}' leaves its folder.")
            if not _DIGEST.fullmatch(str(digest)):
                raise BadInput(f"The asset's file '{name}' has no sha256, but '{digest}'.")


@dataclass(frozen=True)
class Environment:
    """How one simulator is installed."""

    name: str
    summary: str = ""
    isolation: Literal["main", "venv"] = "main"
    extra: str = ""
    apt: tuple[str, ...] = ()
    """Debian packages; `old-name | new-name` where releases differ, as in Debian's own files."""
    mesa: int = 0
    """Lowest major version of Mesa whose CPU renderer works; 0 where nothing is rendered by it."""
    optional: bool = False
    """Whole only on the machines of those who want it."""
    assets: tuple[Asset, ...] = ()
    folder: Path = Path()
    """Where it was read from."""

    def __post_init__(self) -> None:
        """Its packages come from one place. Raises BadInput."""
        if self.isolation == "venv" and self.extra:
            raise BadInput("A venv has requirements.txt, no 'extra'.")

    def asset(self, name: str) -> Asset:
        """The asset of that name; UnknownName if there is none."""
        for asset in self.assets:
            if asset.name == name:
                return asset
        names = [asset.name for asset in self.assets]
        raise UnknownName(f"asset in environment '{self.name}'", name, names)


def installed(package: str) -> str | None:
    """The version of a Python package, without importing it; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def environment_names() -> list[str]:
    """Names of the environments that ship, and of other packages'."""
    return sorted(_files())


def load_environment(name: str) -> Environment:
    """Read `envs/<name>/env.toml`; UnknownName or InvalidFile if that is not possible."""
    files = _files()
    UnknownName.check("environment", [name], files, "`bench env list` shows all.")
    environment = read_environment(files[name])
    if environment.name != name:
        file = f"Environment file {files[name]}"
        raise InvalidFile(f"{file}: its name is '{environment.name}', not {name}.")
    return environment


def _files() -> dict[str, Path]:
    """Environment -> its file. What ships goes before what other packages call the same.

    These are looked for without importing them; of those that went away there is nothing.
    """
    files = {}
    for entry in entry_points(group="vlm4vla.environments"):
        spec = None
        with suppress(ModuleNotFoundError):  # of `gone.inner`, where `gone` is
            spec = find_spec(entry.value)
        for folder in (spec and spec.submodule_search_locations) or ():
            files[entry.name] = Path(folder) / "env.toml"
    return files | {path.parent.name: path for path in shipped("envs").glob("*/env.toml")}


def read_environment(path: Path) -> Environment:
    """The environment that the file describes; InvalidFile names the field that is wrong."""
    file = f"Environment file {path}"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidFile(f"{file} cannot be read: {error}") from error
    refuse_unknown(content, ("environment", "assets"), file)
    table = content.get("environment", {})
    if not isinstance(table, dict) or "assets" in table:
        raise InvalidFile(f"{file} needs [environment] and [[assets]].")
    settings = table | {"assets": content.get("assets", [])}
    return replace(read_fields(Environment, settings, file), folder=path.parent)
