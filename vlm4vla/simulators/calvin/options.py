"""How the play table can be set up, checked once and passed on typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import UnknownName

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "renderer": ("auto", "tiny", "egl"),
    "control": ("relative", "absolute"),
    "cameras": ("static", "static+gripper"),
}


@dataclass(frozen=True)
class Options:
    """The simulator's settings."""

    renderer: str = "auto"
    """`tiny`: pybullet's CPU renderer; `egl`: its OpenGL plugin, which published numbers used;
    `auto`: `egl` where there is an NVIDIA GPU."""
    control: str = "relative"
    """`relative`: CALVIN's `rel_actions`; `absolute`: poses in the world frame."""
    cameras: str = "static+gripper"
    """What a policy may ask for. One that asks for everything is served by this."""
    annotations: str = "validation"
    """The official sentences, or a YAML file of one's own. Read by the suite."""

    @classmethod
    def parse(cls, options: Mapping[str, JSON]) -> Options:
        """Check a suite's options; UnknownName for a name or value that does not exist."""
        names = [field.name for field in fields(cls)]
        for name, value in options.items():
            if name not in names:
                raise UnknownName("option of calvin", name, names)
            if name in _CHOICES and value not in _CHOICES[name]:
                raise UnknownName(f"{name} of calvin", str(value), _CHOICES[name])
        return cls(**{name: str(value) for name, value in options.items()})
