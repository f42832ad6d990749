"""Backbones by name: the class behind each, where its weights come from, what presets change.

Torch-free. To add one, either write `--backbone module:Class` with a `Backbone` subclass of yours,
or give it a name in your own package:

    [project.entry-points."vlm4vla.backbones"]
    my-vlm = "my_package.my_vlm:ENTRY"      # a `BackboneEntry`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Literal

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.core.reference import load_object, look_here
from vlm4vla.models.config import Scalar, Setup, VLAConfig
from vlm4vla.models.contracts import Preset

if TYPE_CHECKING:
    from vlm4vla.models.backbone import Backbone

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


_QWEN25 = "vlm4vla.models.qwen:Qwen25VL"
_QWEN3 = "vlm4vla.models.qwen:Qwen3VL"
_PALIGEMMA = "vlm4vla.models.paligemma:PaliGemma"
_KOSMOS = "vlm4vla.models.kosmos:Kosmos2"

SHIPPED = (
    BackboneEntry("qwen2.5vl-3b", _QWEN25, "Qwen/Qwen2.5-VL-3B-Instruct", "3.8 B"),
    BackboneEntry("qwen2.5vl-7b", _QWEN25, "Qwen/Qwen2.5-VL-7B-Instruct", "8.3 B"),
    BackboneEntry("qwen3vl-2b", _QWEN3, "Qwen/Qwen3-VL-2B-Instruct", "2.1 B"),
    BackboneEntry("qwen3vl-4b", _QWEN3, "Qwen/Qwen3-VL-4B-Instruct", "4.4 B"),
    BackboneEntry("qwen3vl-8b", _QWEN3, "Qwen/Qwen3-VL-8B-Instruct", "8.8 B"),
    BackboneEntry(
        "qwen3vl-30b-a3b",
        "vlm4vla.models.qwen:Qwen3VLMoe",
        "Qwen/Qwen3-VL-30B-A3B-Instruct",
        "31 B, 3 B active",
        {"code": {"deepstack": False}},  # commented out in the published code
    ),
    BackboneEntry("paligemma-1", _PALIGEMMA, "google/paligemma-3b-pt-224", "2.9 B"),
    BackboneEntry("paligemma-2", _PALIGEMMA, "google/paligemma2-3b-pt-224", "3.0 B"),
    BackboneEntry(
        "kosmos-2",
        _KOSMOS,
        "microsoft/kosmos-2-patch14-224",
        "1.7 B",
        {
            "paper": {"phrase": "p"},
            "code": {"phrase": "p", "image": "first"},  # before `<s>`, empty tags in the text
        },
    ),
    BackboneEntry(
        "toy", "vlm4vla.models.toy:ToyBackbone", "", "40 k, untrained: for trying things out"
    ),
)


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

    found = load_object("Backbone", entry(name).target, _FIX)
    if not (isinstance(found, type) and issubclass(found, Backbone)):
        raise BadInput(
            f"'{entry(name).target}' is not a backbone.",
            "Subclass vlm4vla.models.backbone.Backbone.",
        )
    return found


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
    setup = Setup(
        mrope="native" if preset == "default" else "flat",
        attention=_ATTENTION[preset],
        options={**entry(config.backbone).options.get(preset, {}), **config.setup.options},
    )
    return replace(
        config,
        preset=preset,
        setup=setup,
        clip_norm=0.65,
        decoder=config.decoder.under(preset),
    )
