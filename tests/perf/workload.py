"""The work both sides do: the same frames, the same episodes, the same stop-watch.

Runs in our environment and in the peer's: numpy and the standard library, nothing else.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

SIZE = 256
STEPS = 200
ACTION = 7
STATE = 8
_RING = 8
_MARK_S = 0.25


def frames() -> list[np.ndarray]:
    """Different photo-like frames, (256, 256, 3) uint8: nothing can be cached by identity.

    Shaded table and wall, grain at every scale, a few objects, sensor noise. A PNG of one takes
    about 90 kB, like that of a real photograph of this size: a flat scene would flatter whoever
    compresses.
    """
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    light = np.where(y < 0.35, 150 - 40 * x, 90 + 90 * y - 30 * x)
    texture = sum(
        np.kron(rng.normal(0, amplitude, (cells, cells)), np.ones((SIZE // cells,) * 2))
        for cells, amplitude in ((8, 6.0), (32, 4.0), (128, 3.0))
    )
    image = (light + texture)[..., None] * np.array([1.0, 0.9, 0.75])
    for _ in range(8):
        cx, cy, radius = rng.random(3) * (1, 1, 0.15)
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        image[inside] = image[inside] * 0.3 + rng.integers(0, 180, 3)
    image += rng.normal(0, 1.0, image.shape)
    base = image.clip(0, 255).astype(np.uint8)
    return [np.ascontiguousarray(np.roll(base, shift, axis=1)) for shift in range(_RING)]


class Marks:
    """Notes how much was done by when, four times a second, in a file of this process."""

    def __init__(self, folder: str, name: str = "") -> None:
        self._file = (Path(folder) / (name or str(os.getpid()))).open("a", buffering=1)
        self._count, self._last = 0, 0.0

    def __call__(self, count: int = 1) -> None:
        self._count += count
        now = time.monotonic()  # one clock for all processes of a Linux machine
        if now - self._last > _MARK_S:
            self._last = now
            self._file.write(f"{now} {self._count}\n")
