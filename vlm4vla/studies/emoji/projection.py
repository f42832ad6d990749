"""The emoji task's camera: from places in the world to places in its square picture."""

from __future__ import annotations

import numpy as np

from vlm4vla.core.simulator import Floats


def project(points: Floats, side: int) -> Floats:
    """Where points (N, 3) of the world are in the picture, (N, 2) pixels, column first.

    Args:
        points: metres.
        side: of the picture, pixels.
    """
    # Imported here, for it brings the renderer along.
    from vlm4vla.simulators.grinningface.view import EYE, FOV, LOOK_AT

    forward = np.subtract(LOOK_AT, EYE) / np.linalg.norm(np.subtract(LOOK_AT, EYE))
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    away = points - EYE
    focal = side / 2 / np.tan(FOV / 2)
    seen: Floats = side / 2 + focal * np.stack([away @ right, away @ down], 1) / (
        away @ forward
    ).reshape(-1, 1)
    return seen
