"""SAPIEN's default shaders, less the table that only an environment map needs.

Before its first picture SAPIEN integrates the table for reflected environment light. A CPU renderer
takes six seconds for that, in every host. Without such a map the light that the table weighs is
zero, so that pictures are the same without it, bit for bit (tested).
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import sapien

from vlm4vla.core.assets import cache_folder

_DECLARED = "layout(set = SET_NUM, binding = 8) uniform sampler2D samplerBRDFLUT;"
_READ = "texture(samplerBRDFLUT, vec2(roughness, dotNV)).xy"


def without_environment() -> str:
    """What `sapien.render.set_camera_shader_dir` is given where no environment map is used.

    The folder is made once for a version of SAPIEN, in the download cache. Where it cannot be, or
    SAPIEN has other shaders, they are SAPIEN's own: the same pictures, later.
    """
    texts = _texts(Path(sapien.__file__).parent / "vulkan_shader")
    if not texts or any("samplerBRDFLUT" in text for text in texts.values()):
        return "default"
    digest = hashlib.sha256("".join(f"{n}\n{t}" for n, t in texts.items()).encode()).hexdigest()
    folder = cache_folder("shaders") / digest[:16]
    if not folder.is_dir():
        try:
            _write(folder, texts)
        except OSError:  # a cache that may not be written to costs seconds, not the run
            return "default"
    return str(folder / "default")


def _texts(shipped: Path) -> dict[str, str]:
    """Relative path -> what stands in it without the table."""
    return {
        f"{path.parent.name}/{path.name}": path.read_text()
        .replace(_DECLARED, "")
        .replace(_READ, "vec2(0)")
        for path in sorted([*shipped.glob("common/*"), *shipped.glob("default/*")])
    }


def _write(folder: Path, texts: dict[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    made.chmod(0o755)
    for name, text in texts.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    try:
        made.rename(folder)
    except OSError:  # another process was first
        shutil.rmtree(made)
        if not folder.is_dir():
            raise
