"""The convex pieces of a collision mesh, as SAPIEN 2 splits it.

Of each object of the file SAPIEN 2 joins the vertices that lie at one place, in the order in which
faces name them, and makes a convex hull of each part that then hangs together. SAPIEN 3 does not
join them first, so that it sees another number of parts: of the spoon 1 in place of 4, which makes
it 1.8 times as heavy. Split as here, masses, centres of mass and inertias are those of SAPIEN 2 (to
1e-7; of the plate to 1e-4).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vlm4vla.core.errors import InvalidFile

Vertices = NDArray[np.float32]


@lru_cache(maxsize=32)
def convex_pieces(mesh: Path) -> tuple[Vertices, ...]:
    """Of each part of a Wavefront OBJ its vertices (n, 3), metres. Raises InvalidFile."""
    points, faces, owner = [], [], 0
    for line in mesh.read_text(encoding="utf-8").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            points.append(tuple(float(word) for word in words[:3]))
        elif kind == "f":
            faces.append([(owner, int(word.partition("/")[0]) - 1) for word in words])
        elif kind in ("o", "g", "usemtl"):
            owner += 1
    if not faces or min(corner for face in faces for _, corner in face) < 0:
        raise InvalidFile(f"{mesh} has no faces, or counts their vertices from the end.")
    places: dict[tuple[int, tuple[float, ...]], int] = {}
    joined = [
        [places.setdefault((own, points[corner]), len(places)) for own, corner in face]
        for face in faces
    ]
    pairs = np.array([(face[0], other) for face in joined for other in face[1:]])
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(places), len(places)))
    count, part = connected_components(links, directed=False)
    vertices = np.array([point for _, point in places], np.float32)
    return tuple(vertices[part == index] for index in range(count))
