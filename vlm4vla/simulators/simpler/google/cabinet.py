"""The cabinet with its three drawers. Their handles are pictures: only panels can be pulled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sapien
from sapien import physx

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler.google.words import DRAWERS
from vlm4vla.simulators.simpler.physics import posed

CABINET = "cabinet/"
"""What the names of its links begin with in a picture."""
POSE = np.array([-0.295, 0, 0.017, 1, 0, 0, 0])
FRICTION, DAMPING = 0.05, 1.0
"""Of each drawer's joint: weak enough to let it coast."""
_INSIDE = 2
"""Which of a drawer's collision shapes is the bottom of its inside."""


class Cabinet:
    """Stands where the drawer tasks are."""

    def __init__(self, scene: sapien.Scene, urdf: Path) -> None:
        """Load it, closed."""
        loader = scene.create_urdf_loader()
        builder = loader.parse(str(urdf), srdf_file="none")[0][0]
        for link in builder.link_builders:
            link.visual_records = []
        self.articulation: physx.PhysxArticulation = builder.build()
        self.articulation.root_pose = posed(POSE)
        for joint in self.articulation.active_joints:
            joint.set_friction(FRICTION)
            joint.set_drive_properties(0.0, DAMPING)
        self.links = {link.name: link for link in self.articulation.links}

    @property
    def opened(self) -> Floats:
        """(3,) metres by which top, middle and bottom drawer are open."""
        return np.asarray(self.articulation.qpos, np.float64)

    def put(self, opened: Floats, speeds: Floats | None = None) -> None:
        """Open the drawers so far, at rest unless speeds are given."""
        self.articulation.qpos = np.asarray(opened, np.float32)
        still = np.zeros(len(DRAWERS)) if speeds is None else speeds
        self.articulation.qvel = np.asarray(still, np.float32)

    def inside(self, drawer: str) -> physx.PhysxCollisionShape:
        """What lies in the drawer lies on it."""
        shape: physx.PhysxCollisionShape = self.links[f"{drawer}_drawer"].collision_shapes[_INSIDE]
        return shape
