"""The physics of one episode: the robot, a table or a cabinet, and what lies on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sapien

from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.simpler import contact, physics
from vlm4vla.simulators.simpler.google import robot as google
from vlm4vla.simulators.simpler.google.cabinet import CABINET, Cabinet
from vlm4vla.simulators.simpler.google.control import GoogleController
from vlm4vla.simulators.simpler.google.files import GoogleFiles
from vlm4vla.simulators.simpler.google.path import HZ
from vlm4vla.simulators.simpler.google.rules import (
    FORCED_SWITCH,
    GoogleState,
    PlaceJudge,
    judge,
)
from vlm4vla.simulators.simpler.google.settle import drop_distractors
from vlm4vla.simulators.simpler.google.words import (
    DRAWERS,
    PRIVILEGED,
    RULES,
    GoogleSetup,
)
from vlm4vla.simulators.simpler.simulator import TaskScene, Verdict
from vlm4vla.simulators.simpler.view import Poses

STAGE = sapien.Pose([1.6616, 3.0337, 0.0])
"""Where a stage's origin lies."""
ROOMS = {
    "modern_bedroom": sapien.Pose([0.178, -2.235, 1.669], [0.007, 0, 0, -1]),
    "modern_office": sapien.Pose([-0.192, -1.728, 1.48], [0.709, 0, 0, -0.705]),
}
TABLE = 0.87
"""Height, metres, above which things are let go."""
CLOSE_FROM = 0.2
"""How far the drawer is open that is to be closed, metres."""
CLOSING_ANGLE = 80.0
"""Greatest angle between the direction in which a finger closes and its push, degrees."""


@dataclass(frozen=True)
class GooglePlace:
    """Where everything is to be put. World frame, SI units, quaternions wxyz."""

    qpos: Floats
    """(11,) in upstream's order of joints."""
    things: Floats
    """(n, 7)"""
    drawers: Floats
    """(3,), or empty without a cabinet."""
    qvel: Floats | None = None
    thing_speeds: Floats | None = None
    """(n, 6) linear and angular velocities; at rest, as all that is left out."""
    drawer_speeds: Floats | None = None


class GoogleWorld(TaskScene):
    """A scene of its own for each episode."""

    def __init__(
        self, setup: GoogleSetup, files: GoogleFiles, place: GooglePlace | None = None
    ) -> None:
        """Build the scene; let the things fall and settle, or put everything in its `place`."""
        self._setup = setup
        # With upstream's one velocity iteration the fingers rebound and lose standing cans.
        offset = 0.005 if setup.rule in ("near", "place") else 0.02
        self._physics = physics.PhysicsSettings(HZ, offset, velocity_iterations=0)
        self.scene = physics.new_scene(self._physics)
        self.robot = google.load(self.scene, files.robot(setup.colour))
        self.cabinet: Cabinet | None = None
        if setup.drawer:
            self.cabinet = Cabinet(self.scene, files.cabinet(setup.station))
        else:
            physics.add_stage(
                self.scene, files.stage(setup.stage), stage_within(setup.stage), STAGE
            )
        models = [files.model(name, light_fruit=setup.rule == "near") for name in setup.models]
        self.things = [physics.add_object(self.scene, model) for model in models]
        self.put(self._settled() if place is None else place)
        self.controller = GoogleController(self.robot)
        self._extents = np.array([thing.extent for thing in self.things]).reshape(-1, 3)
        self._judge = judge(setup, self.state(), self._extents)
        self._steps = 0
        self._told = self._success = False
        self._instructed_at: int | None = None
        self.instruction = setup.instructions[0]

    def put(self, place: GooglePlace) -> None:
        """Bring everything to its place, and the robot's base to where it stands."""
        setup = self._setup
        self.robot.put(google.base(setup.x, setup.y, setup.yaw), place.qpos, place.qvel)
        for thing, pose in zip(self.things, place.things, strict=True):
            thing.put(pose)
        if place.thing_speeds is not None:
            for thing, speed in zip(self.things, place.thing_speeds, strict=True):
                thing.rigid.linear_velocity, thing.rigid.angular_velocity = speed[:3], speed[3:]
        if self.cabinet is not None:
            self.cabinet.put(place.drawers, place.drawer_speeds)

    def step(self, action: Floats) -> Verdict:
        """1/3 s under `action` (7,)."""
        if self._told or self._steps >= FORCED_SWITCH:
            self._place()
        for positions, velocities in zip(*self.controller.waypoints(action), strict=True):
            self.robot.drive(positions, velocities)
            self.robot.run(self.scene, 1)
        self._steps += 1
        verdict = self._judge.watch(self.state())
        self._success = verdict.success
        measures = self._setup.measures(verdict.success, self._instructed_at)
        return replace(verdict, measures={**verdict.measures, **measures})

    def move_on(self) -> None:
        """The second instruction, if there is one, holds from the next action on."""
        self._told = True

    def _place(self) -> None:
        if isinstance(self._judge, PlaceJudge) and not self._judge.placing:
            self._judge.placing = True
            self._instructed_at = self._steps
            self.instruction = self._setup.instructions[-1]

    def poses(self) -> Poses:
        """Of robot, things and cabinet."""
        seen = {name: link.entity_pose for name, link in self.robot.links.items()}
        seen |= {thing.name: thing.rigid.entity_pose for thing in self.things}
        if self.cabinet is not None:
            links = self.cabinet.links.items()
            seen |= {f"{CABINET}{name}": link.entity_pose for name, link in links}
        return seen

    def eye(self) -> sapien.Pose:
        """In the robot's head, which the arm's controller moves a little."""
        return self.robot.links[google.EYE_LINK].entity_pose * google.EYE

    def proprio(self) -> Floats:
        """Hand in the base frame (7), arm (7), mean of the fingers (1)."""
        qpos = self.robot.qpos
        hand = self.robot.pose_in_base(google.TOOL)
        return np.concatenate([hand, qpos[:7], [qpos[google.FINGERS].mean()]])

    def privileged(self) -> Mapping[str, Floats]:
        """What experts may see."""
        state, setup = self.state(), self._setup
        placing = isinstance(self._judge, PlaceJudge) and self._judge.placing
        known = {
            **vars(state),
            "base": google.base(setup.x, setup.y, setup.yaw),
            "fingers": state.qpos[google.FINGERS],
            "extents": self._extents,
            "rule": RULES.index(setup.rule),
            "source": setup.source,
            "target": setup.target,
            "drawer": DRAWERS.index(setup.drawer) if setup.drawer else -1,
            "placing": placing,
            "success": self._success,
        }
        return {name: np.array(known[name], np.float64, ndmin=1) for name in PRIVILEGED}

    def state(self) -> GoogleState:
        """The world as it stands."""
        seen = GoogleState(
            qpos=self.robot.qpos,
            tcp=self.robot.pose(google.TOOL),
            things=np.array([thing.pose for thing in self.things]).reshape(-1, 7),
            centres=np.array([thing.centre for thing in self.things]).reshape(-1, 3),
            drawers=np.zeros(0) if self.cabinet is None else self.cabinet.opened,
        )
        if self._setup.rule not in ("pick", "place"):
            return seen
        contacts, thing = self.scene.physx_system.get_contacts(), self.things[0].rigid
        links = self.robot.links
        in_drawer = False
        if self.cabinet is not None:
            inside = self.cabinet.inside(self._setup.drawer)
            in_drawer = contact.touches_shape(contacts, thing, inside)
        return replace(
            seen,
            grasped=all(self._presses(contacts, pair) for pair in google.FINGER_LINKS),
            supported=contact.touches_other(contacts, thing, list(links.values())),
            in_drawer=in_drawer,
        )

    def _presses(self, contacts: contact.Contacts, finger: Sequence[str]) -> bool:
        """Whether one of a finger's links presses the first thing the way the finger closes."""
        for name in finger:
            link = self.robot.links[name]
            push = contact.impulse(contacts, link, self.things[0].rigid)
            closing = link.entity_pose.to_transformation_matrix()[:3, 1]
            if contact.presses(push, closing, CLOSING_ANGLE):
                return True
        return False

    def _settled(self) -> GooglePlace:
        """Where the things come to rest, with the robot out of the way; the robot's rest pose."""
        setup = self._setup
        qpos = np.array(google.REST)
        self.robot.put(np.array([*physics.FAR_AWAY, 1, 0, 0, 0]), np.zeros(len(qpos)))
        falling = zip(setup.xy, setup.quats, strict=True)
        starts = np.array([[*xy, TABLE + physics.DROP, *quat] for xy, quat in falling])
        first = len(self.things) - setup.distractors
        for wait, distractor in enumerate(self.things[first:]):
            # Where it meets nothing until its turn comes.
            distractor.put(np.array([10.0 * (wait + 1), 10, 0, 1, 0, 0, 0]))
        if self.things:
            physics.drop_and_settle(self.scene, self.things[:first], starts[:first], self._physics)
        if setup.distractors:
            drop_distractors(self.scene, self.things[first:], starts[first:], self._physics)
        qpos[: len(setup.arm)] += setup.arm
        if setup.head_tilt is not None:
            qpos[-1] = setup.head_tilt
        opened = CLOSE_FROM if setup.rule == "close" else 0.0
        return GooglePlace(
            qpos=qpos,
            things=np.array([thing.pose for thing in self.things]).reshape(-1, 7),
            drawers=np.array([opened * (drawer == setup.drawer) for drawer in DRAWERS]),
        )


def stage_within(name: str) -> sapien.Pose:
    """The pose of a stage's mesh in it: y is up there, and two rooms lie elsewhere."""
    upright = sapien.Pose(q=[0.707, 0.707, 0, 0])
    room = next((pose for start, pose in ROOMS.items() if name.startswith(start)), sapien.Pose())
    return room * upright
