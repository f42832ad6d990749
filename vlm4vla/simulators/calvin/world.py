"""The physics of the play table, built anew for every chain, nothing rendered.

A used Bullet world keeps contact caches and the order of its pairs, and upstream's `reset` is not
repeatable in it. A new world with fixed load poses is, bit for bit, whatever came before. The order
of loading is upstream's: pairs are solved in the order of the bodies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pybullet
from pybullet_utils.bullet_client import BulletClient

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.calvin.oracle import BlockState, Snapshot
from vlm4vla.simulators.calvin.robot import Arm
from vlm4vla.simulators.calvin.scenes import Block, Scene
from vlm4vla.simulators.calvin.table import SCALE, Fixtures

PHYSICS_HZ, CONTROL_HZ = 240, 30
SUBSTEPS = PHYSICS_HZ // CONTROL_HZ

_GRAVITY = -9.8


def connect(options: str = "") -> BulletClient:
    """A Bullet world of one's own; `options` are those of pybullet's `connect`."""
    bullet = BulletClient(pybullet.DIRECT, options)
    bullet.setTimeStep(1 / PHYSICS_HZ)
    # Upstream asks for this once and loses it with the first resetSimulation. Asked for later it
    # would change every trajectory.
    bullet.setPhysicsEngineParameter(deterministicOverlappingPairs=1)
    return bullet


class PlayTable:
    """One scene. `reset` rebuilds it; `step_rel` and `step_abs` are one control step of 1/30 s."""

    def __init__(self, scene: Scene, data: Path, bullet: BulletClient | None = None) -> None:
        """Remember what to build.

        Args:
            scene: Which play table.
            data: CALVIN's data folder (`locate("calvin", "data")`).
            bullet: Where to build it; a world of its own if left out.
        """
        self.bullet = bullet or connect()
        self.scene = scene
        self._data = data

    def reset(self, robot_obs: Floats, scene_obs: Floats) -> None:
        """A new world in the state that `robot_obs` (15,) and `scene_obs` (24,) describe."""
        self._build()
        self.table.place(scene_obs)
        for index, block in enumerate(self.scene.blocks):
            pose = scene_obs[6 + 6 * index : 12 + 6 * index]
            self.bullet.resetBasePositionAndOrientation(
                self.blocks[block.name], pose[:3], self.bullet.getQuaternionFromEuler(pose[3:])
            )
        self.robot.place(robot_obs[7:14], robot_obs[6] / 2)
        self.bullet.stepSimulation()

    def step_rel(self, action: Floats) -> None:
        """One relative action (7,), see `Arm.move_by`."""
        self.robot.move_by(action)
        self._simulate()

    def step_abs(self, action: Floats) -> None:
        """One absolute action (7,), see `Arm.move_to`."""
        self.robot.move_to(action)
        self._simulate()

    def robot_obs(self) -> Floats:
        """CALVIN's `robot_obs` (15,), see `Arm.observation`."""
        return self.robot.observation()

    def scene_obs(self) -> Floats:
        """CALVIN's `scene_obs` (24,).

        Sliding door, drawer, button, switch (metres), lightbulb, led (0 or 1), then position and
        Euler angles of each block in the scene's order.
        """
        values = self.table.observation()
        for block in self.scene.blocks:
            position, quaternion = self.bullet.getBasePositionAndOrientation(
                self.blocks[block.name]
            )
            values += [*position, *self.bullet.getEulerFromQuaternion(quaternion)]
        return np.array(values)

    def snapshot(self) -> Snapshot:
        """What the oracle needs to know of this moment."""
        return Snapshot(
            blocks={name: self._block(uid) for name, uid in self.blocks.items()},
            doors=self.table.doors(),
            lights=dict(self.table.lights),
            robot=self.robot.uid,
            touched=self.robot.touches(),
            table=self.table.uid,
            links=self.table.links,
        )

    def close(self) -> None:
        """Give the world back to Bullet."""
        self.bullet.disconnect()

    def _build(self) -> None:
        self.bullet.resetSimulation()
        self.bullet.setGravity(0, 0, _GRAVITY)
        self.robot = Arm(self.bullet, self._data)
        self.blocks = {block.name: self._load(block) for block in self.scene.blocks}
        self.table = Fixtures(self.bullet, self._data / self.scene.table)
        self.bullet.loadURDF(str(self._data / "plane" / "plane.urdf"))

    def _load(self, block: Block) -> int:
        turn = self.bullet.getQuaternionFromEuler((0, 0, block.yaw))
        urdf = str(self._data / "blocks" / block.urdf)
        uid: int = self.bullet.loadURDF(urdf, block.position, turn, globalScaling=SCALE)
        return uid

    def _simulate(self) -> None:
        for _ in range(SUBSTEPS):
            self.bullet.stepSimulation()
        self.table.react()

    def _block(self, uid: int) -> BlockState:
        position, quaternion = self.bullet.getBasePositionAndOrientation(uid)
        linear, angular = self.bullet.getBaseVelocity(uid)
        contacts = self.bullet.getContactPoints(bodyA=uid)
        return BlockState(
            uid,
            np.array(position),
            np.array(quaternion),
            np.array(linear),
            np.array(angular),
            frozenset((contact[2], contact[4]) for contact in contacts),
        )
