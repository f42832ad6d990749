"""Upstream's recorded traces beside upstream's packages in our host: how far apart they are.

python -m tests.golden_official                  one trace of each task
python -m tests.golden_official NAME...          these, e.g. stack_cube/ep03/pick_place, move_near/
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vlm4vla.core.episode import Episode
from vlm4vla.core.simulator import Simulator
from vlm4vla.core.specs import CameraRequest, ObservationRequest
from vlm4vla.environments.construction import maker
from vlm4vla.simulators.registry import plugin
from vlm4vla.simulators.simpler.official.calls import UpstreamCall, google_call
from vlm4vla.suites.suite import load

SIMULATOR = "simpler_official"
STATE = ObservationRequest(privileged=True)
BRIDGE = {
    "widowx_spoon_on_towel": "spoon",
    "widowx_carrot_on_plate": "carrot",
    "widowx_stack_cube": "cube",
    "widowx_put_eggplant_in_basket": "eggplant",
}
ONE_OF_EACH = (
    "spoon_on_towel/ep03/pick_place/", "carrot_on_plate/ep03/pick_place/",
    "stack_cube/ep03/pick_place/", "put_eggplant_in_basket/ep03/pick_place/",
    "pick_horizontal_coke_can/g23/pick_noisy/", "pick_vertical_coke_can/g42/pick/",
    "pick_standing_coke_can/g44/pick/", "move_near/ep51/near/", "open_top_drawer/b0/pull/",
    "open_middle_drawer/a1/pull/", "open_bottom_drawer/a1/pull/", "close_top_drawer/a1/push/",
    "close_middle_drawer/b0/push/", "close_bottom_drawer/c2/push_partial/",
    "place_apple_in_closed_top_drawer/b0_g21/open_place/",
)  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """One recorded trace, and the episode of ours that it is."""

    name: str
    options: Mapping[str, str]
    episode: Episode
    actions: np.ndarray
    states: Mapping[str, np.ndarray]
    """Row 0 after the reset, row t + 1 after action t; named as the simulator names them."""
    done: np.ndarray
    told_at: int = -1
    """Before which action the recorder declared the first instruction done."""


def bridge_traces(wanted: Sequence[str]) -> Iterator[Trace]:
    """Of WidowX."""
    file = np.load(Path(os.environ["VLM4VLA_GOLDEN"]) / "simpler" / "golden_public.npz")
    episodes = {(e.key.task, e.key.init): e for e in load("simpler_bridge_official").episodes}
    for name in map(str, file["index"]):
        if not any(word in f"{name}/" for word in wanted):
            continue
        task, number, _ = name.split("/")
        rows = {
            key: file[f"{name}/{key}"] for key in ("qpos", "tcp", "src", "tgt", "action", "done")
        }
        things = np.stack([rows["src"], rows["tgt"]], axis=1)
        yield Trace(
            name, {"robot": "widowx"}, episodes[BRIDGE[task], int(number[2:])],
            rows["action"].astype(np.float64),
            {"qpos": rows["qpos"], "tcp": rows["tcp"], "things": things}, rows["done"],
        )  # fmt: skip


def google_traces(wanted: Sequence[str]) -> Iterator[Trace]:
    """Of the Google Robot."""
    file = np.load(Path(os.environ["VLM4VLA_GOLDEN"]) / "simpler_google" / "golden_public.npz")
    known: dict[str, list[tuple[Episode, UpstreamCall]]] = {}
    for variant in ("matching", "core"):
        suite = load("simpler_google_vm_official", overrides={"variant": variant})
        known[variant] = [(e, google_call(e)) for e in suite.episodes]
    for name in map(str, file["index"]):
        if not any(word in f"{name}/" for word in wanted) or "_v1/" in name:
            continue
        meta = json.loads(str(file[f"{name}/json"]))
        variant = "core" if "va" in name.split("/")[1] or len(meta["obj_names"]) > 3 else "matching"
        states = {key: file[f"{name}/{key}"] for key in ("qpos", "tcp") if f"{name}/{key}" in file}
        if f"{name}/obj" in file:
            states["things"] = file[f"{name}/obj"]
        if f"{name}/cab_qpos" in file:
            states["drawers"] = file[f"{name}/cab_qpos"]
        yield Trace(
            name, {"robot": "google", "variant": variant}, _episode(meta, known[variant]),
            file[f"{name}/action"], states, file[f"{name}/done"], meta["advance_before_step"],
        )  # fmt: skip


def _episode(meta: dict, known: Sequence[tuple[Episode, UpstreamCall]]) -> Episode:
    """The first of ours for which upstream is called as the recorder called it."""
    for episode, call in known:
        same = (call.environment, call.scene) == (meta["env"], meta["scene"])
        if not same or not np.allclose((call.x, call.y), meta["robot_xy"]):
            continue
        if not np.isclose(call.yaw, meta["robot_yaw"]):
            continue
        if meta["env_kwargs"].items() - call.arguments.items():
            continue
        if all(np.allclose(call.placing[k], v) for k, v in meta["obj_init_options"].items()):
            return episode
    raise LookupError(meta)


def deviations(simulator: Simulator, trace: Trace) -> dict[str, float]:
    """Largest difference of each part over all rows, and how many steps' success differs."""
    simulator.reset(replace(trace.episode, max_steps=10_000))
    found = dict.fromkeys([*trace.states, "success"], 0.0)

    def compare(row: int) -> None:
        seen = simulator.observe(STATE).privileged
        for name, recorded in trace.states.items():
            apart = float(np.abs(seen[name] - recorded[row]).max(initial=0.0))
            found[name] = max(found[name], apart)

    compare(0)
    for step, action in enumerate(trace.actions):
        if step == trace.told_at:
            simulator._call("move_on") if hasattr(simulator, "_call") else simulator.move_on()
        progress = simulator.advance(action)
        found["success"] += progress.success != bool(trace.done[step])
        compare(step + 1)
    return found


def pictures(
    simulator: Simulator, trace: Trace, camera: str, steps: Sequence[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """(step, frame) at these steps."""
    simulator.reset(trace.episode)
    for step in range(max(steps) + 1):
        if step in steps:
            yield (
                step,
                simulator.observe(ObservationRequest((CameraRequest(camera),))).image(camera),
            )
        if step < len(trace.actions):
            simulator.advance(trace.actions[step])


def main(wanted: Sequence[str]) -> int:
    """Print a line a trace; 0 if nothing differs."""
    worst = 0.0
    made: dict[str, Simulator] = {}
    for trace in (*bridge_traces(wanted), *google_traces(wanted)):
        key = json.dumps(trace.options)
        if key not in made:
            made[key] = maker(SIMULATOR, plugin(SIMULATOR), trace.options, False)()
        began = time.monotonic()
        found = deviations(made[key], trace)
        worst = max(worst, *found.values())
        shown = ", ".join(f"{name} {value:g}" for name, value in found.items())
        took = time.monotonic() - began
        print(f"{trace.name}: {len(trace.actions)} steps, {shown} ({took:.0f} s)", flush=True)
    for simulator in made.values():
        simulator.close()
    return int(worst > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:] or ONE_OF_EACH))
