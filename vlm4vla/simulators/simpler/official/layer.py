"""The Vulkan layer with which SAPIEN 2 draws without an NVIDIA GPU: built once, then switched on.

SAPIEN 2 asks for a Vulkan extension that Mesa's CPU driver lacks and that nothing here needs; see
`semaphore_layer.c`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from vlm4vla.core.assets import CACHE_VARIABLE, cache_folder
from vlm4vla.core.errors import RendererUnavailable
from vlm4vla.core.files import alone, write_whole

NVIDIA = Path("/dev/nvidiactl")
_NAME = "VK_LAYER_VLM4VLA_semaphore"
_LIBRARY, _MANIFEST = "semaphore_layer.so", "semaphore_layer.json"
_SOURCE = Path(__file__).with_name("semaphore_layer.c")
_LIMIT_S = 60.0


def enable() -> bool:
    """Have the Vulkan of this process, and of its children, pass through the layer.

    Call it before anything opens Vulkan. Does nothing, and returns False, where there is an NVIDIA
    driver, which has the extension. Raises RendererUnavailable where the layer cannot be built.
    """
    if NVIDIA.exists():
        return False
    folder = built()
    others = [name for name in os.environ.get("VK_INSTANCE_LAYERS", "").split(":") if name]
    if _NAME not in others:
        os.environ["VK_INSTANCE_LAYERS"] = ":".join([_NAME, *others])
        paths = [os.environ[name] for name in ("VK_LAYER_PATH",) if os.environ.get(name)]
        os.environ["VK_LAYER_PATH"] = ":".join([str(folder), *paths])
    return True


def built() -> Path:
    """The folder with library and manifest, made from the source as it is now."""
    folder = cache_folder("layers") / hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    manifest = folder / _MANIFEST
    if manifest.is_file():
        return folder
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RendererUnavailable(
            "SAPIEN 2 draws on a CPU through a small Vulkan layer, and no C compiler builds it.",
            "apt-get install gcc libc6-dev",
        )
    try:
        with alone(folder):
            folder.mkdir(exist_ok=True)
            _build(compiler, folder / _LIBRARY)
            write_whole(manifest, json.dumps(_manifest(folder / _LIBRARY)))
    except OSError as error:
        raise RendererUnavailable(
            f"The Vulkan layer of SAPIEN 2 cannot be put into {folder.parent}: {error.strerror}.",
            f"Name a folder that you may write to: {CACHE_VARIABLE}",
        ) from error
    return folder


def _build(compiler: str, library: Path) -> None:
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S)
    if done.returncode:
        raise RendererUnavailable(
            f"The Vulkan layer of SAPIEN 2 cannot be built: {done.stderr.strip()[-300:]}.",
            "apt-get install gcc libc6-dev",
        )


def _manifest(library: Path) -> dict[str, object]:
    """What the loader reads; a device extension in it may be asked of any device."""
    return {
        "file_format_version": "1.1.2",
        "layer": {
            "name": _NAME,
            "type": "GLOBAL",
            "library_path": str(library),
            "api_version": "1.3.0",
            "implementation_version": "1",
            "description": "Declares the extension that SAPIEN 2 asks for and does not use",
            "device_extensions": [{"name": "VK_KHR_external_semaphore_fd", "spec_version": "1"}],
        },
    }
