"""The emoji task built from ManiSkill3's own classes: what ours must move like.

Environment, agents, controllers and kinematics are mani-skill's; only the scene's layout is stated
here, after the specification. Slow (tensors), so it serves as a reference and not as the simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import sapien
import torch
from mani_skill.agents.base_agent import BaseAgent
from mani_skill.agents.controllers import (
    PDEEPoseControllerConfig,
    PDJointPosMimicControllerConfig,
    deepcopy_dict,
)
from mani_skill.agents.robots import Panda
from mani_skill.envs.sapien_env import BaseEnv
from mani_skill.utils.scene_builder.table import TableSceneBuilder
from mani_skill.utils.structs.pose import Pose

from vlm4vla.simulators.grinningface.robots import PANDA, ROBOTS, WIDOWX, Robot, urdf


def _widowx() -> type[BaseAgent]:
    class WidowX(BaseAgent):
        uid = "reference_widowx"
        urdf_path = str(urdf(WIDOWX))

        @property
        def _controller_configs(self):
            gains = {"stiffness": 1e3, "damping": 1e2, "force_limit": 100}
            arm = PDEEPoseControllerConfig(
                joint_names=list(WIDOWX.arm),
                pos_lower=-0.1,
                pos_upper=0.1,
                rot_lower=-0.1,
                rot_upper=0.1,
                ee_link=WIDOWX.tcp,
                urdf_path=self.urdf_path,
                use_target=True,
                **gains,
            )
            gripper = PDJointPosMimicControllerConfig(
                ["left_finger", "right_finger"],
                lower=-0.01,
                upper=0.04,
                mimic={"left_finger": {"joint": "right_finger"}},
                **gains,
            )
            modes = {"pd_ee_target_delta_pose": {"arm": arm, "gripper": gripper}}
            return deepcopy_dict(modes)

        def _after_loading_articulation(self):
            self.finger1_link = self.robot.links_map["left_finger_link"]
            self.finger2_link = self.robot.links_map["right_finger_link"]

        is_grasping = Panda.is_grasping
        is_static = Panda.is_static

        def _after_init(self):
            self.tcp = self.robot.links_map[WIDOWX.tcp]

    return WidowX


class Reference(BaseEnv):
    """One episode's manifest as a ManiSkill3 environment."""

    SUPPORTED_ROBOTS = ("panda", "widowx")

    def __init__(self, robot: str, setup: Mapping[str, object]) -> None:
        self.setup, self.chosen = deepcopy(dict(setup)), ROBOTS[robot]
        super().__init__(
            robot_uids="panda",  # which arm stands there is up to _load_agent
            num_envs=1,
            obs_mode="none",
            reward_mode="none",
            control_mode="pd_ee_target_delta_pose",
            sim_backend="physx_cpu",
            render_backend="none",
        )

    def _load_agent(self, options, *args, **kwargs):
        kind = Panda if self.chosen is PANDA else _widowx()
        self.agent = kind(
            self.scene,
            self._control_freq,
            self._control_mode,
            initial_pose=sapien.Pose(self.chosen.base),
        )

    def _load_scene(self, options):
        self.table = TableSceneBuilder(self)
        self.table.build()
        for name, half, centre in (
            ("wood", (0.5, 1.3, 2.0), (1.0, -0.05, 1.08035743)),
            ("blue", (1.3, 0.5, 2.0), (0.0, 1.75, 1.08035743)),
        ):
            self._box(name, half, centre, static=True)
        x, y = self.setup["cube_xy"]
        self.cube = self._box("cube", (0.015,) * 3, (x, y, 0.015))
        self.cards = [
            self._box(f"card{i}", (0.07, 0.07, 0.001), (x, y, 0.001))
            for i, (x, y) in enumerate(self.setup["cards_xy"])
        ]

    def _box(self, name, half, centre, static=False):
        builder = self.scene.create_actor_builder()
        builder.add_box_collision(half_size=list(half))
        builder.initial_pose = sapien.Pose(centre)
        return builder.build_static(name=name) if static else builder.build(name=name)

    def _load_lighting(self, options):
        """Nothing is rendered."""

    def _initialize_episode(self, env_idx, options):
        robot: Robot = self.chosen
        self.table.table.set_pose(
            sapien.Pose([-0.12, 0, -0.9196429], [np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
        )
        arm = np.add(robot.rest, self.setup["arm_noise"])
        qpos = torch.tensor([[*arm, robot.finger_rest, robot.finger_rest]], dtype=torch.float32)
        self.agent.reset(qpos)
        for actor, xy, z in [
            (self.cube, self.setup["cube_xy"], 0.015),
            *(
                (card, xy, 0.001)
                for card, xy in zip(self.cards, self.setup["cards_xy"], strict=True)
            ),
        ]:
            actor.set_pose(Pose.create_from_pq(torch.tensor([[*xy, z]], dtype=torch.float32)))

    def evaluate(self):
        return {}

    def measured(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """Tool centre (7,), cube (7,), and ManiSkill3's own opinion on the grasp."""
        tcp, cube = self.agent.tcp.pose.raw_pose[0], self.cube.pose.raw_pose[0]
        return tcp.numpy(), cube.numpy(), bool(self.agent.is_grasping(self.cube)[0])
