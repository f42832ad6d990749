"""What a simulator needs on a machine, as `envs/<simulator>/env.toml` says it.

```toml
[environment]
name = "grinningface"
summary = "..."
isolation = "main"            # or "venv": a Python of its own, as requirements.txt beside pins it
extra = "emoji"               # in "main": extra of this package that brings its Python packages
apt = ["fonts-noto-color-emoji"]
mesa = 24                     # lowest Mesa whose CPU renderer works; left out: no renderer

[[assets]]
name = "widowx250s"
path = "widowx250s"           # folder under VLM4VLA_ASSETS or the download cache
url = "https://..."           # zip, tar or a single file; left out: cannot be fetched
strip = "Folder-1.0"          # folder inside the archive that becomes `path`
licence = "..."
only_for = "labels=paligemma" # left out: every run needs it
[assets.files]
"wx250s.urdf" = "sha256 of the file"
```

Another package names the folder of its own under the entry-point group `vlm4vla.environments`, as
`simulator = "its_package"`. Read with the standard library alone: simulator hosts need it too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, cast

from vlm4vla.core.errors import InvalidFile, UnknownName
from vlm4vla.core.files import shipped

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Asset:
    """A folder of data files that cannot ship with the package."""

    name: str
    path: str
    files: Mapping[str, str]
    """Path inside the folder -> sha256 of the content, hexadecimal."""
    licence: str
    url: str = ""
    strip: str = ""
    only_for: str = ""
    """The setting without which it is not needed, e.g. `labels=paligemma`; empty: always needed."""


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
    assets: tuple[Asset, ...] = field(default_factory=tuple)
    folder: Path = Path()
    """Where it was read from."""

    def asset(self, name: str) -> Asset:
        """The asset of that name; UnknownName if there is none."""
        for asset in self.assets:
            if asset.name == name:
                return asset
        raise UnknownName(
            f"asset in environment '{self.name}'", name, [asset.name for asset in self.assets]
        )


def environment_names() -> list[str]:
    """Names of the environments that ship, and of other packages'."""
    return sorted({**_of_others(), **_shipped()})


def load_environment(name: str) -> Environment:
    """Read `envs/<name>/env.toml`; UnknownName or InvalidFile if that is not possible."""
    path = _shipped().get(name) or _of_others().get(name)
    if path is None:
        raise UnknownName("environment", name, environment_names(), "`bench env list` shows all.")
    environment = read_environment(path)
    if environment.name != name:
        raise InvalidFile(f"Environment file {path}: its name is '{environment.name}', not {name}.")
    return environment


def _shipped() -> dict[str, Path]:
    return {path.parent.name: path for path in shipped("envs").glob("*/env.toml")}


def _of_others() -> dict[str, Path]:
    """Looked for without importing the packages; of those that went away there is nothing."""
    files = {}
    for entry in entry_points(group="vlm4vla.environments"):
        spec = None
        with suppress(ModuleNotFoundError):  # of `gone.inner`, where `gone` is
            spec = find_spec(entry.value)
        for folder in (spec and spec.submodule_search_locations) or ():
            files[entry.name] = Path(folder) / "env.toml"
    return files


def read_environment(path: Path) -> Environment:
    """The environment that the file describes; InvalidFile names the field that is wrong."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidFile(f"Environment file {path} cannot be read: {error}") from error
    unknown = sorted(set(content) - {"environment", "assets"})
    if unknown:
        raise InvalidFile(f"Environment file {path}: unknown table '{unknown[0]}'.")
    table, assets = content.get("environment", {}), content.get("assets", [])
    if not isinstance(table, dict) or not isinstance(assets, list):
        raise InvalidFile(f"Environment file {path} needs [environment] and [[assets]].")
    _check(path, "environment", Environment, table, reserved={"assets", "folder"})
    isolation = table.get("isolation", "main")
    if isolation not in ("main", "venv"):
        raise InvalidFile(f"Environment file {path}: isolation is neither 'main' nor 'venv'.")
    if isolation == "venv" and table.get("extra"):
        raise InvalidFile(f"Environment file {path}: a venv has requirements.txt, no 'extra'.")
    settings = table | {"apt": tuple(table.get("apt", ())), "folder": path.parent}
    return Environment(**settings, assets=tuple(_asset(path, entry) for entry in assets))


def _asset(path: Path, entry: Mapping[str, object]) -> Asset:
    _check(path, "assets", Asset, entry)
    files = cast(Mapping[str, str], entry["files"])
    for name, digest in files.items():
        if name.startswith("/") or ".." in Path(name).parts:
            raise InvalidFile(f"Environment file {path}: asset file '{name}' leaves its folder.")
        if not _SHA256.fullmatch(str(digest)):
            raise InvalidFile(f"Environment file {path}: '{name}' has no sha256, but '{digest}'.")
    return Asset(**entry)  # type: ignore[arg-type]  # field by field checked above


_KINDS: dict[str, tuple[type, ...]] = {
    "files": (dict,),
    "apt": (list,),
    "mesa": (int,),
}


def _check(
    path: Path,
    table: str,
    kind: type[Environment] | type[Asset],
    entry: Mapping[str, object],
    reserved: frozenset[str] | set[str] = frozenset(),
) -> None:
    """Raise InvalidFile unless `entry` has the fields of `kind`, each of its type."""
    known = {f.name: f for f in fields(kind) if f.name not in reserved}
    for name in entry:
        if name not in known:
            raise InvalidFile(f"Environment file {path}: unknown field '{name}' in [{table}].")
    for name, entry_field in known.items():
        required = entry_field.default is MISSING and entry_field.default_factory is MISSING
        if name not in entry:
            if required:
                raise InvalidFile(f"Environment file {path}: [{table}] lacks '{name}'.")
        elif not isinstance(entry[name], _KINDS.get(name, (str,))):
            raise InvalidFile(f"Environment file {path}: '{name}' in [{table}] has a wrong type.")
