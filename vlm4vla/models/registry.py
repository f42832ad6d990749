"""Backbones by name: the class behind each, where its weights are, what presets change.

Torch-free, and nothing is ever fetched. To add one, either write `--backbone module:Class` with a
`Backbone` subclass of yours, or give it a name in your own package:

    [project.entry-points."vlm4vla.backbones"]
    my-vlm = "my_package.my_vlm:ENTRY"      # a `BackboneEntry`
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vlm4vla.core.errors import BadInput, MissingAsset, MissingDependency, UnknownName
from vlm4vla.core.reference import load_object, look_here
from vlm4vla.models.config import Scalar, Setup, VLAConfig
from vlm4vla.models.contracts import Preset

if TYPE_CHECKING:
    from vlm4vla.models.backbone import Backbone

_EXTRA = 'pip install "vlm4vla[models]"'
_FIX = "See: bench list backbones. Your own: --backbone my_module:MyBackbone"


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone."""

    name: str
    target: str
    """`module:Class` of the Backbone subclass."""
    source: str = ""
    """Hugging Face id of the pretrained weights; empty where there are none to fetch."""
    summary: str = ""
    options: Mapping[Preset, Mapping[str, Scalar]] = field(default_factory=dict)
    """Preset -> the class's own options under it."""


_TABLE = tomllib.loads((Path(__file__).parent / "backbones.toml").read_text(encoding="utf-8"))
SHIPPED = tuple(BackboneEntry(name, **stated) for name, stated in _TABLE.items())


def entries() -> dict[str, BackboneEntry]:
    """Every named backbone, shipped first, then other packages' entry points."""
    found = {entry.name: entry for entry in SHIPPED}
    for point in sorted(entry_points(group="vlm4vla.backbones"), key=lambda point: point.name):
        entry = load_object("Backbone", point.value, _FIX)
        if not isinstance(entry, BackboneEntry):
            raise BadInput(f"Entry point '{point.name}' ({point.value}) is no BackboneEntry.")
        found[point.name] = replace(entry, name=point.name)
    return found


def entry(name: str) -> BackboneEntry:
    """The backbone called `name`, or an entry made for `module:Class`. Raises UnknownName."""
    if ":" in name:
        look_here()
        return BackboneEntry(name, name)
    known = entries()
    if name not in known:
        raise UnknownName("backbone", name, known, _FIX)
    return known[name]


def backbone_class(name: str) -> type[Backbone]:
    """The class behind a name or `module:Class`; imports torch."""
    from vlm4vla.models.backbone import Backbone

    target = entry(name).target
    found = load_object("Backbone", target, _FIX)
    if not (isinstance(found, type) and issubclass(found, Backbone)):
        fix = "Subclass vlm4vla.models.backbone.Backbone."
        raise BadInput(f"'{target}' is not a backbone.", fix)
    return found


def locate(source: str | Path) -> Path:
    """The folder behind a local path or a Hugging Face id that was downloaded before.

    Raises MissingAsset with the command that fetches it.
    """
    if not str(source):
        fix = "Name a folder: --source FOLDER"
        raise BadInput("This backbone has no pretrained weights of its own.", fix)
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise MissingAsset(f"{folder} holds no model: it has no config.json.")
        return folder
    if str(source).count("/") != 1 or str(source).startswith((".", "/", "~")):
        raise MissingAsset(f"There is no folder {folder}.")
    require("huggingface_hub")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(source), local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise MissingAsset(
            f"The weights of {source} are not on this machine, and nothing is fetched unasked.",
            f"hf download {source}",
        ) from error


def require(*packages: str) -> None:
    """Raise MissingDependency unless all of them are installed."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingDependency(f"Networks need {package}, which is not installed.", _EXTRA)


_ATTENTION: Mapping[Preset, Literal["native", "image", "causal"]] = {
    "default": "native",
    "paper": "image",  # appendix A.2.3: image tokens as a prefix, text causal
    "code": "causal",  # what flash attention makes of the published code
}


def apply_preset(config: VLAConfig, preset: Preset) -> VLAConfig:
    """`config` with everything that the preset decides; docs/models.md has the table.

    `paper` is what the paper's text says, `code` what its published code does; both keep the flat
    positions and the rescaling of the published results. `default` corrects what looks mistaken.
    """
    options = {**entry(config.backbone).options.get(preset, {}), **config.setup.options}
    setup = Setup("native" if preset == "default" else "flat", _ATTENTION[preset], options)
    decoder = config.decoder.under(preset)
    return replace(config, preset=preset, setup=setup, clip_norm=0.65, decoder=decoder)
