"""One Bridge episode's physics: table or sink, two things, the robot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import sapien

from vlm4vla.core import rotation
from vlm4vla.core.assets import Holding, hold, locate
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler import physics
from vlm4vla.simulators.simpler.bridge import protocol
from vlm4vla.simulators.simpler.bridge.control import BridgeController
from vlm4vla.simulators.simpler.bridge.judge import BridgeJudge, BridgeState
from vlm4vla.simulators.simpler.bridge.protocol import BridgeTask
from vlm4vla.simulators.simpler.contact import impulse, presses, touches_other
from vlm4vla.simulators.simpler.physics import ObjectModel, numbers, posed
from vlm4vla.simulators.simpler.robot import DrivenRobot
from vlm4vla.simulators.simpler.simulator import TaskScene, Verdict
from vlm4vla.simulators.simpler.view import OverlaidView, Poses, looking_along

ENVIRONMENT = "simpler_bridge"
SUPPORT = "support"
"""What is called so stands below the target."""


def held_files() -> Holding:
    """Upstream's data files, as they are here. Raises MissingAsset."""
    return hold(ENVIRONMENT, "real2sim")


def robot_urdf() -> Path:
    """Raises MissingAsset."""
    return locate(ENVIRONMENT, "widowx250s") / "wx250s.urdf"


def stage_pose() -> tuple[sapien.Pose, sapien.Pose]:
    """Of a stage's mesh within the stage, and of the stage in the world."""
    return sapien.Pose(q=protocol.STAGE_TURN), sapien.Pose(protocol.STAGE_PLACE)


class BridgeWorld(TaskScene):
    """A scene of its own for each episode."""

    def __init__(
        self,
        task: BridgeTask,
        instruction: str,
        files: Holding,
        urdf: Path,
        supported: bool = False,
    ) -> None:
        """Build it; things and robot still have no place. Raises MissingAsset.

        If `supported`, the target stands on another of its kind.
        """
        self.task, self.instruction = task, instruction
        self.scene = physics.new_scene(protocol.PHYSICS)
        stage = files.path(f"hab2_bench_assets/stages/{task.setting.stage}.glb")
        physics.add_stage(self.scene, stage, *stage_pose())
        models = _models(files, task)
        self.source, self.target = (
            physics.add_object(self.scene, models[name]) for name in (task.source, task.target)
        )
        under = replace(models[task.target], name=SUPPORT)
        self.support = physics.add_object(self.scene, under) if supported else None
        if task.fixture:
            fixture = physics.add_object(self.scene, models[task.fixture])
            fixture.put(np.array(protocol.SINK_PLACE))
            fixture.rigid.set_locked_motion_axes([True] * 6)
        self.robot = DrivenRobot(self.scene, urdf, protocol.DRIVES, protocol.SURFACES)
        for link, bits in protocol.APART.items():
            for shape in self.robot.links[link].collision_shapes:
                shape.set_collision_groups([1, 1, bits, 0])
        self.robot.put(np.array([*physics.FAR_AWAY, 1, 0, 0, 0]), np.array(task.setting.qpos))

    def settle(self, starts: Floats) -> None:
        """Drop source and target from above `starts` (2, 6): x, y, quaternion wxyz."""
        height = protocol.TABLE + physics.DROP
        poses = np.insert(starts, 2, height, axis=1)
        bodies = [self.source, self.target]
        if self.support is not None:
            bodies.append(self.support)
            poses = np.concatenate([poses, poses[1:]])
            poses[1, 2] += 1.5 * self.target.extent[2]
        physics.drop_and_settle(self.scene, bodies, poses, protocol.PHYSICS)

    def lay(self, rests: Floats) -> None:
        """Lay source and target at (2, 7), where they are known to rest."""
        for body, rest in zip((self.source, self.target), rests, strict=True):
            body.put(rest)

    def begin(self, qpos: Floats | None = None) -> None:
        """Bring the robot; what lies where now is the start. No physics step is taken."""
        setting = self.task.setting
        self.robot.put(np.array(setting.base), np.array(setting.qpos if qpos is None else qpos))
        self.controller = BridgeController(self.robot)
        self.judge = BridgeJudge(self.task, self.state(), self.source.extent, self.target.extent)
        self._last = Verdict(False, {})

    def step(self, action: Floats) -> Verdict:
        """200 ms."""
        self.robot.drive(self.controller.targets(action))
        self.robot.run(self.scene, protocol.SUBSTEPS)
        self._last = self.judge.watch(self.state())
        return self._last

    def state(self) -> BridgeState:
        """What the rules look at now."""
        contacts = self.scene.get_contacts()
        links = self.robot.links
        source = self.source.rigid
        return BridgeState(
            source=self.source.pose,
            target=self.target.pose,
            source_centre=self.source.centre,
            target_centre=self.target.centre,
            grasped=all(
                presses(
                    impulse(contacts, links[finger], source),
                    side * links[finger].entity_pose.to_transformation_matrix()[:3, 1],
                    protocol.GRASP_ANGLE,
                )
                for finger, side in zip(protocol.FINGERS, (1, -1), strict=True)
            ),
            touches_other=touches_other(contacts, source, [self.target.rigid, *links.values()]),
        )

    def poses(self) -> Poses:
        """Of the robot's links and the things."""
        links = {name: link.entity_pose for name, link in self.robot.links.items()}
        bodies = filter(None, (self.source, self.target, self.support))
        return {**links, **{body.name: body.rigid.entity_pose for body in bodies}}

    def eye(self) -> sapien.Pose:
        """On the robot's base."""
        setting = self.task.setting
        if len(setting.looks) == 3:
            within = looking_along(setting.eye, setting.looks)
        else:
            within = sapien.Pose(setting.eye, setting.looks)
        return self.robot.articulation.root_pose * within

    def proprio(self) -> Floats:
        """Hand in the base frame (7), arm (6), distance of the fingers (1)."""
        qpos = self.robot.qpos
        return np.concatenate([self.robot.pose_in_base(protocol.HAND), qpos[:6], [qpos[6:].sum()]])

    def privileged(self) -> Mapping[str, Floats]:
        """What experts may see."""
        state, base = self.state(), self.robot.articulation.root_pose
        quaternion = rotation.from_matrix(self.controller.turn, "quat_wxyz")
        command = base * posed(np.concatenate([self.controller.position, quaternion]))
        return {
            "base": numbers(base),
            "tcp": self.robot.pose(protocol.HAND),
            "command": numbers(command),
            "fingers": self.robot.qpos[6:],
            "source": state.source,
            "target": state.target,
            "source_centre": state.source_centre,
            "target_centre": state.target_centre,
            "source_extent": self.judge.source_extent,
            "target_extent": self.judge.target_extent,
            "grasped": np.array([float(state.grasped)]),
            "success": np.array([float(self._last.success)]),
        }


def _models(files: Holding, task: BridgeTask) -> Mapping[str, ObjectModel]:
    """The task's things, by name."""
    known = json.loads(files.path(f"custom/{task.models}.json").read_text(encoding="utf-8"))
    models = {}
    for name in filter(None, (task.source, task.target, task.fixture)):
        box = known[name]["bbox"]
        x, y, z = np.subtract(box["max"], box["min"])
        mesh = files.path(f"custom/models/{name}/collision.obj")
        models[name] = ObjectModel(name, mesh, known[name].get("density", 1000), (x, y, z))
    return models


def view(task: BridgeTask, files: Holding, urdf: Path, supported: bool = False) -> OverlaidView:
    """How the task is seen; raises MissingAsset or RendererUnavailable."""
    setting = task.setting
    photo = files.path(f"real_inpainting/{setting.photo}.png")
    made = OverlaidView(setting.lens, setting.lighting, photo)
    made.add_articulation(urdf, shiny=True)
    # Upstream overlays table, sink and basket, which still hide what lies behind them.
    mesh, place = stage_pose()
    stage = files.path(f"hab2_bench_assets/stages/{setting.stage}.glb")
    made.add_model("stage", stage, mesh, place, foreground=False)
    for name in filter(None, (task.source, task.target, task.fixture)):
        visual = files.path(f"custom/models/{name}/textured.dae")
        shown = name == task.source or not task.fixture
        place = posed(np.array(protocol.SINK_PLACE)) if name == task.fixture else None
        made.add_model(name, visual, place=place, foreground=shown)
    if supported:
        made.add_model(SUPPORT, files.path(f"custom/models/{task.target}/textured.dae"))
    return made
