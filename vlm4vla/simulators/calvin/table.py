"""The play table: two doors, a button and a switch that move, two lights that they drive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pybullet_utils.bullet_client import BulletClient

from vlm4vla.core.simulator import Floats

SCALE = 0.8
"""Of the table and its blocks; not of the robot."""
DOORS = ("base__slide", "base__drawer")
BUTTON, SWITCH = "base__button", "base__switch"
LED, LIGHTBULB = "led", "lightbulb"
LIGHTS = (LIGHTBULB, LED)

_FORCE = 4.0
"""That brakes doors and switch, and drives the button back to 0."""
_LINKS = {LIGHTBULB: "light_link", LED: "led_link"}
_SHINING = {LIGHTBULB: (1, 1, 0, 1), LED: (0, 1, 0, 1)}
_DARK = (1, 1, 1, 1)


class Fixtures:
    """Everything on the table but the blocks. Joint positions are in metres, scaled."""

    def __init__(self, bullet: BulletClient, urdf: Path) -> None:
        """Load it; doors and switch get friction, the button a spring."""
        self._bullet = bullet
        self.uid: int = bullet.loadURDF(str(urdf), globalScaling=SCALE)
        infos = [bullet.getJointInfo(self.uid, i) for i in range(bullet.getNumJoints(self.uid))]
        self._joints: dict[str, int] = {info[1].decode(): info[0] for info in infos}
        self._midpoints = {info[1].decode(): (info[8] + info[9]) / 2 for info in infos}
        self.links: Mapping[str, int] = {
            "base_link": -1,
            **{info[12].decode(): info[0] for info in infos},
        }
        for joint in (*DOORS, BUTTON, SWITCH):
            mode = bullet.POSITION_CONTROL if joint == BUTTON else bullet.VELOCITY_CONTROL
            bullet.setJointMotorControl2(self.uid, self._joints[joint], mode, force=_FORCE)
        self.lights: dict[str, int] = dict.fromkeys(LIGHTS, 0)
        self._switch_on = False
        self._was_pressed = False

    def place(self, scene_obs: Floats) -> None:
        """Set joints and lights from the first six numbers of a `scene_obs`."""
        for joint, position in zip(DOORS, scene_obs[:2], strict=True):
            self._reset_joint(joint, position)
        for light, state in zip(LIGHTS, scene_obs[4:6], strict=True):
            self._shine(light, int(state))
        self._reset_joint(BUTTON, scene_obs[2])
        self._reset_joint(SWITCH, scene_obs[3])
        # Upstream forgets where the switch was: one that starts on lights its bulb once more.
        self._switch_on = False
        self._was_pressed = False

    def react(self) -> None:
        """Buttons first, then switches; once an environment step, after the physics."""
        pressed = self.joint(BUTTON) > self._midpoints[BUTTON]
        if pressed and not self._was_pressed:
            self._shine(LED, 1 - self.lights[LED])
        self._was_pressed = pressed
        switched = self.joint(SWITCH) > self._midpoints[SWITCH]
        if switched != self._switch_on:
            self._switch_on = switched
            self._shine(LIGHTBULB, int(switched))

    def doors(self) -> dict[str, float]:
        """Joint positions of the sliding door and of the drawer."""
        return {joint: self.joint(joint) for joint in DOORS}

    def joint(self, name: str) -> float:
        """Position of a joint, metres."""
        return float(self._bullet.getJointState(self.uid, self._joints[name])[0])

    def observation(self) -> list[float]:
        """The first six numbers of a `scene_obs`."""
        joints = [self.joint(name) for name in (*DOORS, BUTTON, SWITCH)]
        return [*joints, *(float(self.lights[light]) for light in LIGHTS)]

    def _reset_joint(self, name: str, position: float) -> None:
        self._bullet.resetJointState(self.uid, self._joints[name], float(position))

    def _shine(self, light: str, state: int) -> None:
        self.lights[light] = state
        self._bullet.changeVisualShape(
            self.uid, self.links[_LINKS[light]], rgbaColor=_SHINING[light] if state else _DARK
        )
