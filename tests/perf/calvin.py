"""What CALVIN costs: one picture a query against one a step, and the memory of a slot.

    python -m tests.perf.calvin

The same actions in the same chains, in chunks of ten, static camera, TinyRenderer: first as the
harness runs them, a picture when the policy is asked, then with a picture after every step, as
upstream's `env.step` draws one. Outcomes must be equal, CPU seconds must not. Then real runs of the
engine with one slot say how large a simulator host grows. Exit 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.result import EpisodeResult
from vlm4vla.core.simulator import Floats, Observation, Progress, Simulator
from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec, SimulatorSpec
from vlm4vla.rollout.episode_loop import LoopConfig, run_episode
from vlm4vla.rollout.events import Event, Finished
from vlm4vla.rollout.execution import Execution
from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.simulators import plugin
from vlm4vla.store import Store
from vlm4vla.suites.suite import load

CHUNK = 10
TIMES, MEMORY_MB = 5.0, 400.0
"""The bars: env steps per CPU-second against a picture a step, and resident memory of a host."""

STATIC = ObservationRequest((CameraRequest("static"),))
SUITE, OPTIONS = "calvin_debug", {"renderer": "tiny", "cameras": "static+gripper"}


class Chunks(Policy):
    """Random actions in chunks of ten; looks through the static camera, or both (`wrist`)."""

    known_options = ("wrist",)

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        gripper = (CameraRequest("gripper"),) if options.get("wrist") else ()
        return PolicySpec(simulator.action, ObservationRequest((*STATIC.cameras, *gripper)))

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        return [ActionChunk(session.rng.uniform(-1, 1, (CHUNK, 7))) for session in sessions]


class Local:
    """The policy without a server: nothing but the loop and the simulator is measured."""

    def __init__(self, policy: Policy, key: EpisodeKey) -> None:
        self._policy, self._session = policy, Session(key)

    def reset(self, key: EpisodeKey, fresh: bool) -> None:
        self._policy.reset([self._session])

    def act(self, observation: Observation) -> ActionChunk:
        return self._policy.act([observation], [self._session])[0]


class Eager:
    """A simulator that takes a picture after every step, whoever may want it."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.reset, self.observe = simulator.reset, simulator.observe
        self.close = simulator.close

    def advance(self, action: Floats) -> Progress:
        progress = self._simulator.advance(action)
        self._simulator.observe(STATIC)
        return progress


def measured(
    simulator: Simulator, episodes: Sequence[Episode]
) -> tuple[list[EpisodeResult], float]:
    """The results, and the CPU seconds they took after each reset."""
    spec = plugin("calvin").describe(OPTIONS)
    policy = Chunks(spec)
    config = LoopConfig(spec, Chunks.describe(spec), Execution.parse("chunk"))
    results, seconds = [], 0.0
    for episode in episodes:
        begin = time.process_time()
        local = Local(policy, episode.key)
        result = run_episode(simulator, episode, local, config, lambda phase: None)
        seconds += time.process_time() - begin - result.timing.reset
        results.append(result)
    return results, seconds


def memory(wrist: bool) -> float:
    """Peak resident memory, MiB, of the one host of a real run over the suite's chains."""
    seen: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, Finished):
            seen.append(event.result.memory_mb)

    with tempfile.TemporaryDirectory() as folder:
        request = RunRequest(
            "tests.perf.calvin:Chunks",
            SUITE,
            options=OPTIONS,
            policy_options={"wrist": "1"} if wrist else {},
            episodes=4,
            slots=1,
        )
        with Store.open(Path(folder) / "store.db", create=True) as store:
            execute(resolve(request), store, note)
    return max(seen)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chains", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    episodes = load(SUITE).episodes[: arguments.chains]
    simulator = plugin("calvin").create(OPTIONS)
    rates: dict[str, list[float]] = {"a query": [], "a step": []}
    for _ in range(arguments.rounds):
        outcomes = []
        for name, world in (("a query", simulator), ("a step", Eager(simulator))):
            results, seconds = measured(world, episodes)
            steps = sum(result.steps for result in results)
            rates[name].append(steps / seconds)
            outcomes.append(
                [(r.outcome, r.steps, r.measures, r.actions.tobytes()) for r in results]
            )
            print(f"a picture {name}: {steps} steps, {steps / seconds:.0f} per CPU-second")
        assert outcomes[0] == outcomes[1], "looking changed an outcome"
    middle = {name: float(np.median(found)) for name, found in rates.items()}
    times = middle["a query"] / middle["a step"]
    sizes = {"static": memory(False), "static and gripper": memory(True)}
    for cameras, size in sizes.items():
        print(f"a host that renders {cameras}: {size:.0f} MiB at most")
    verdicts = [
        (times >= TIMES, f"{times:.1f} times the steps per CPU-second ({TIMES:g} wanted)"),
        (max(sizes.values()) < MEMORY_MB, f"{max(sizes.values()):.0f} MiB ({MEMORY_MB:g} allowed)"),
    ]
    for kept, text in verdicts:
        print(f"{'met   ' if kept else 'MISSED'}  {text}")
    if arguments.json:
        facts = {"steps_per_cpu_second": rates, "memory_mb": sizes, "load": os.getloadavg()}
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")
    sys.exit(0 if all(kept for kept, _ in verdicts) else 1)


if __name__ == "__main__":
    main()
