"""Upstream's Bridge traces (SAPIEN 2.2.2) replayed here, from their recorded starts.

    python -m tests.golden_simpler $VLM4VLA_GOLDEN/simpler/golden_public.npz

Prints a row for each kind of trace: the largest error of the hand and of the moved thing in the
rows that count, and how often success differs. Exits 0 only where all of it is within the bar:

- free motion: 0.5 mm and 0.1 degrees at every step; pressing and pushing up to the first contact
- scripted picks: 1 mm, and the same success after the last step
- the controller's law in one step from every recorded row: 1e-5 m and rad, fingers 1e-6 m, inverse
  kinematics 2e-4 rad and failing where it failed
- the rules for success and for what was moved, on every recorded state
- the suite's episodes begin 1 mm at most from where upstream's things came to rest. They are
  dropped and settled here, but for the eggplant on the grid (`suites/simpler_bridge.py`)
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from vlm4vla.core import rotation
from vlm4vla.simulators.simpler.bridge import protocol, world
from vlm4vla.simulators.simpler.bridge.judge import BridgeJudge, BridgeState
from vlm4vla.simulators.simpler.bridge.world import BridgeWorld
from vlm4vla.simulators.simpler.physics import posed
from vlm4vla.suites.suite import load

TASKS = {
    "widowx_spoon_on_towel": "spoon",
    "widowx_carrot_on_plate": "carrot",
    "widowx_stack_cube": "cube",
    "widowx_put_eggplant_in_basket": "eggplant",
}
"""Upstream's names -> ours."""
FREE_MM, FREE_DEG, PICK_MM, SETTLED_MM = 0.5, 0.1, 1.0, 1.0
LAW, FINGERS, KINEMATICS = 1e-5, 1e-6, 2e-4
RULES = ("success", "moved_correct_obj", "moved_wrong_obj")


@dataclass
class Row:
    """What is known of one kind of trace: the largest errors, and how many of what differ."""

    traces: int = 0
    hand_mm: float = 0.0
    hand_deg: float = 0.0
    source_mm: float = 0.0
    success: int = 0
    """Steps after which success differs in the replay."""
    ends: int = 0
    """Traces whose last success differs."""
    law: float = 0.0
    fingers: float = 0.0
    kinematics: float = 0.0
    rules: int = 0
    """Recorded states on which a rule decides otherwise; and unlike failures of kinematics."""

    def add(self, **found: float) -> None:
        for name, value in found.items():
            known = getattr(self, name)
            count = isinstance(known, int)
            setattr(self, name, known + value if count else max(known, float(value)))

    def within(self, kind: str) -> bool:
        law = self.law <= LAW and self.fingers <= FINGERS and self.kinematics <= KINEMATICS
        if kind.startswith("pick"):
            return law and not self.rules and self.hand_mm <= PICK_MM and not self.ends
        return law and not self.rules and self.hand_mm <= FREE_MM and self.hand_deg <= FREE_DEG


@dataclass
class Golden:
    """A file of traces, and what one of them needs."""

    traces: NpzFile
    files: world.Holding = field(default_factory=world.held_files)
    urdf: Path = field(default_factory=world.robot_urdf)

    def world(self, task: str) -> BridgeWorld:
        return BridgeWorld(protocol.TASKS[TASKS[task]], "", self.files, self.urdf)

    def begin(self, name: str, row: int = 0) -> BridgeWorld:
        """The recorded state of a row as an episode's start."""
        made = self.world(name.split("/")[0])
        for body, recorded in ((made.source, "src"), (made.target, "tgt")):
            body.put(self.traces[f"{name}/{recorded}"][row].astype(float))
        made.begin(self.traces[f"{name}/qpos"][row].astype(float))
        return made


def replay(golden: Golden, name: str, row: Row) -> None:
    """The actions again, on our physics."""
    made, traces = golden.begin(name), golden.traces
    hand, source, told = (traces[f"{name}/{what}"] for what in ("tcp", "src", "info_success"))
    kind, touched, success = name.split("/")[-1], False, False
    for step, action in enumerate(traces[f"{name}/action"].astype(float), 1):
        success = made.step(action).success
        touched |= _touches(made) or bool(traces[f"{name}/finger_impulse"][step].any())
        row.add(success=success != told[step - 1])
        if kind in ("press_table", "push") and touched:
            continue
        millimetres, degrees = distance(made.robot.pose(protocol.HAND), hand[step])
        row.add(hand_mm=millimetres, hand_deg=degrees)
        row.add(source_mm=distance(made.source.pose, source[step])[0])
    row.add(traces=1, ends=bool(success) != bool(told[-1]))


def one_step(golden: Golden, name: str, row: Row) -> None:
    """From each recorded row, what the controller commands next."""
    traces, made = golden.traces, golden.begin(name)
    recorded = {
        what: traces[f"{name}/{what}"].astype(float)
        for what in ("action", "qpos", "ctrl_target_base", "drive_target", "ik_ok")
    }
    commanded, base = recorded["ctrl_target_base"], np.array(made.task.setting.base)
    for step, action in enumerate(recorded["action"]):
        made.robot.put(base, recorded["qpos"][step])
        made.controller.begin(commanded[step])
        joints = made.controller.targets(action)
        quaternion = rotation.from_matrix(made.controller.turn, "quat_wxyz")
        reached = np.concatenate([made.controller.position, quaternion])
        millimetres, degrees = distance(reached, commanded[step + 1])
        wanted = recorded["drive_target"][step + 1]
        off = np.abs(joints - wanted)
        row.add(law=max(millimetres / 1e3, np.radians(degrees)), fingers=off[6:].max())
        row.add(kinematics=off[:6].max())
        row.add(rules=made.controller.solved != bool(recorded["ik_ok"][step]))


def rules(golden: Golden, name: str, row: Row) -> None:
    """Upstream's rules on each recorded state; contacts are those of one physics step from it."""
    traces, made = golden.traces, golden.begin(name)
    source, target = (traces[f"{name}/{what}"].astype(float) for what in ("src", "tgt"))

    def state(step: int, touches_other: bool = False) -> BridgeState:
        centres = [
            np.asarray((posed(pose) * body.rigid.cmass_local_pose).p, float)
            for pose, body in ((source[step], made.source), (target[step], made.target))
        ]
        return BridgeState(source[step], target[step], *centres, touches_other=touches_other)

    judge = BridgeJudge(made.task, state(0), made.source.extent, made.target.extent)
    for step in range(1, len(source)):
        verdict = judge.watch(state(step))
        if made.task.alone and verdict.success:
            placed = golden.begin(name, step)
            placed.robot.drive(traces[f"{name}/drive_target"][step].astype(float))
            placed.robot.run(placed.scene, 1)
            verdict = judge.watch(state(step, placed.state().touches_other))
        told = [bool(traces[f"{name}/info_{rule}"][step - 1]) for rule in RULES]
        ours = [verdict.success, *(verdict.stages[rule] for rule in RULES[1:])]
        row.add(rules=sum(a != b for a, b in zip(ours, told, strict=True)))


def settled(golden: Golden, task: str, count: int | None = None) -> tuple[np.ndarray, float]:
    """Millimetres from upstream's rests, over the task's first episodes in the file.

    Returns:
        (episodes, 2) of source and target dropped here; and the most of any as the suite begins.
    """
    starts = {e.key.init: e for e in load("simpler_bridge").episodes if e.key.task == TASKS[task]}
    dropped, played = [], 0.0
    for index, init in enumerate(golden.traces[f"{task}/init/episode_id"][:count]):
        setup, made = starts[int(init)].setup, golden.world(task)
        rests = [golden.traces[f"{task}/init/{what}"][index] for what in ("src", "tgt")]
        made.settle(np.array(setup["starts"], float))
        here = [made.source.pose, made.target.pose]
        dropped.append([distance(*pair)[0] for pair in zip(here, rests, strict=True)])
        begun = np.array(setup.get("rests", here), float)
        played = max(played, *(distance(*pair)[0] for pair in zip(begun, rests, strict=True)))
    return np.array(dropped), played


def distance(pose: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Between two poses (7,): millimetres, degrees."""
    turns = [rotation.to_matrix(one[3:], "quat_wxyz") for one in (pose, other)]
    between = rotation.from_matrix(turns[0] @ turns[1].T, "rotvec")
    return (
        float(np.linalg.norm(pose[:3] - other[:3]) * 1e3),
        float(np.degrees(np.linalg.norm(between))),
    )


def _touches(made: BridgeWorld) -> bool:
    """Whether the robot presses against anything but itself."""
    links = set(made.robot.links.values())
    return any(
        (contact.bodies[0] in links) != (contact.bodies[1] in links)
        and any(np.any(point.impulse) for point in contact.points)
        for contact in made.scene.get_contacts()
    )


def main(path: str) -> int:
    golden = Golden(np.load(path))
    rows: defaultdict[str, Row] = defaultdict(Row)
    for name in map(str, golden.traces["index"]):
        row = rows[name.split("/")[-1]]
        replay(golden, name, row)
        one_step(golden, name, row)
        rules(golden, name, row)
    print(
        f"{'kind':14} {'n':>3} {'hand mm':>8} {'deg':>6} {'source mm':>9} {'success':>8}"
        f" {'ends':>5} {'law':>8} {'fingers':>8} {'ik':>8} {'rules':>6}  bar"
    )
    good = True
    for kind, row in sorted(rows.items()):
        fits = row.within(kind)
        good &= fits
        print(
            f"{kind:14} {row.traces:3} {row.hand_mm:8.3f} {row.hand_deg:6.3f} {row.source_mm:9.2f}"
            f" {row.success:8} {row.ends:5} {row.law:8.1e} {row.fingers:8.1e}"
            f" {row.kinematics:8.1e} {row.rules:6}  {'within' if fits else 'BEYOND'}"
        )
    for task in sorted({str(name).split("/")[0] for name in golden.traces["index"]}):
        dropped, played = settled(golden, task)
        good &= (fits := played <= SETTLED_MM)
        near, (source, target) = (dropped[:, 0] <= SETTLED_MM).sum(), dropped.max(0)
        print(
            f"start of {TASKS[task]:9} {played:.3f} mm  {'within' if fits else 'BEYOND'}; dropped"
            f" here: source within {SETTLED_MM:g} mm in {near} of {len(dropped)}, most"
            f" {source:.3f}; target most {target:.3f}"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
