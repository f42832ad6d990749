"""From a request to a plan: every check that can be made before anything expensive starts."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vlm4vla.core import convert, options
from vlm4vla.core.comparability import CONTRAST, EPISODES
from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.errors import (
    BadInput,
    BenchError,
    MissingDependency,
    OutOfRange,
    UnknownName,
)
from vlm4vla.core.policy import Policy
from vlm4vla.core.reference import look_here, reason
from vlm4vla.core.simulator import SimulatorPlugin
from vlm4vla.core.specs import PolicySpec, SimulatorSpec
from vlm4vla.environments.interpreter import choose
from vlm4vla.policies import registry
from vlm4vla.rollout.episode_loop import LoopConfig
from vlm4vla.rollout.execution import Execution
from vlm4vla.rollout.hosts.child import Interpreter
from vlm4vla.rollout.hosts.host import HostConfig, Inquiry, Limits, Subject
from vlm4vla.rollout.hosts.host_process import inquire
from vlm4vla.rollout.video import require_av
from vlm4vla.runs.provenance import collect, command_line, relevant
from vlm4vla.runs.request import RunRequest
from vlm4vla.simulators import plugin
from vlm4vla.simulators.registry import preflight, target
from vlm4vla.store.records import RunRecord
from vlm4vla.suites.suite import Suite, load


@dataclass(frozen=True)
class RunPlan:
    """A checked request: what will run, under which identity."""

    request: RunRequest
    suite: Suite
    simulator: SimulatorPlugin
    simulator_spec: SimulatorSpec
    interpreter: Interpreter | None
    """The Python that simulators run in; the harness's own if None."""
    policy: str
    """`module:Class`."""
    policy_spec: PolicySpec
    record: RunRecord
    slots: int
    former_id: str
    """The id that earlier versions gave it: how many episodes were asked for was part of that."""

    @property
    def host(self) -> HostConfig:
        """What every simulator host is started with."""
        return HostConfig(
            simulator=target(self.suite.simulator),
            options=self.suite.options,
            loop=LoopConfig(
                self.simulator_spec,
                self.policy_spec,
                Execution.parse(self.record.execution),
                self.suite.success,
                self.request.video,
            ),
            limits=Limits(
                timeout_s=self.request.timeout_s or self.simulator.timeout_s,
                memory_mb=self.simulator.memory_limit_mb,
                episodes=self.simulator.episodes_per_host,
            ),
            path_entries=(os.getcwd(),),
            interpreter=self.interpreter,
        )

    def facts(self, rendering: bool) -> Mapping[str, str]:
        """Comparability facts from the Python that simulators run in; raises BadInput with them."""
        return _facts(self.suite, rendering, self.interpreter)


def resolve(request: RunRequest) -> RunPlan:
    """Check everything and settle everything. Raises BadInput in one of its forms."""
    look_here()
    _check_numbers(request)
    _check_cluster(request.ray_address)
    listed = load(request.suite, request.protocol, request.options)
    whole = listed.narrowed(request.tasks, request.inits, seed=request.seed)
    suite = whole.narrowed(count=request.episodes, seed=request.seed)
    simulator = plugin(suite.simulator)
    simulator_spec = simulator.describe(suite.options)
    _check_metrics(suite, simulator_spec)
    reference = registry.target(request.policy, simulator)
    policy_class = registry.load(reference)
    policy_spec = _describe(policy_class, simulator_spec, request)
    convert.check(policy_spec, simulator_spec)
    execution = _execution(request, suite, policy_spec.execution)
    interpreter, versions = choose(suite.simulator, request.python)
    if request.video != "none":
        _check_video(interpreter, versions)
    facts = _facts(suite, bool(policy_spec.request.cameras), interpreter)
    if request.video != "none":
        _facts(suite, True, interpreter)  # a film changes no outcome: no new fact
    provenance: dict[str, JSON] = {}
    if interpreter is not None:
        provenance["simulator_python"] = {
            "command": interpreter.python,
            "brought": request.python is not None,
            **relevant(versions),
        }
    parts = policy_class, policy_spec, execution, facts, provenance
    record, former_id = _record(request, suite, whole, *parts)
    return RunPlan(
        request=request,
        suite=suite,
        simulator=simulator,
        simulator_spec=simulator_spec,
        interpreter=interpreter,
        policy=reference,
        policy_spec=policy_spec,
        record=replace(record, comparability={**record.comparability, EPISODES: listed.digest}),
        slots=request.slots or choose_slots(simulator.slot_memory_mb, len(suite.episodes)),
        former_id=former_id,
    )


def choose_slots(memory_mb: float, episodes: int) -> int:
    """As many simulators as there are cores, memory (three quarters of what is free) and work."""
    cores = len(os.sched_getaffinity(0))
    fitting = int(0.75 * _available_mb() / memory_mb)
    return max(1, min(cores, fitting, episodes))


def _check_numbers(request: RunRequest) -> None:
    for flag, value in (
        ("--slots", request.slots),
        ("--max-batch", request.max_batch),
        ("--selected-from", request.selected_from),
    ):
        if value is not None and value < 1:
            raise OutOfRange(f"{flag} {value} must be at least 1.")
    for flag, value in (
        ("--retries", request.retries),
        ("--give-up-after", request.give_up_after),
    ):
        if value < 0:
            raise OutOfRange(f"{flag} {value} must not be negative.")
    if request.timeout_s is not None and not request.timeout_s > 0:  # nan is neither
        raise OutOfRange(f"--timeout {request.timeout_s:g} must be positive.")
    if request.run_id is not None and not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", request.run_id):
        raise BadInput(
            f"Run id '{request.run_id}' may hold only letters, digits, '.', '_' and '-'."
        )
    if request.run_id is not None and request.new:
        raise BadInput("--new chooses an id of its own.", "Drop --run-id or --new.")


def _check_cluster(address: str | None) -> None:
    """Ray itself would knock for minutes at a door that is not there."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdecimal():
        return  # none, or an address of another kind, e.g. `auto`
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise BadInput(
            f"No Ray cluster answers at {address}: {error}.",
            "Start one there (ray start --head), or drop --ray-address to use this machine.",
        ) from error


def _check_video(interpreter: Interpreter | None, versions: Mapping[str, str]) -> None:
    """Hosts write the videos: PyAV must be where they run."""
    if interpreter is None:
        require_av()
    elif "av" not in versions:
        raise MissingDependency(
            f"Videos need PyAV, which {interpreter.python} has not.",
            f"{sys.executable} -m pip --python {interpreter.python} install av",
        )


def _check_metrics(suite: Suite, simulator: SimulatorSpec) -> None:
    """What no episode row will ever hold cannot be counted."""
    known = ["success", "success_any", "success_last", *simulator.stages, *simulator.measures]
    for metric in suite.metrics:
        for column in (metric.of, metric.given):
            if column is not None and column not in known:
                what = f"stage or measure of '{simulator.simulator}' (metric '{metric.name}')"
                raise UnknownName(what, column, known)


def _execution(request: RunRequest, suite: Suite, own: str) -> str:
    """How chunks are executed; BadInput where suite and policy each have their own way."""
    for execution in filter(None, (request.execute, suite.execution, own)):
        Execution.parse(execution)
    if request.execute is None and suite.execution and own not in ("chunk", suite.execution):
        raise BadInput(
            f"Policy '{request.policy}' executes its chunks by '{own}', "
            f"suite '{suite.name}' by '{suite.execution}'.",
            f"Say which: --execute {own} or --execute {suite.execution}",
        )
    return request.execute or suite.execution or own


def _describe(cls: type[Policy], spec: SimulatorSpec, request: RunRequest) -> PolicySpec:
    options.check(cls.known_options, request.policy_options, f"policy '{request.policy}'")
    fix = "See its `describe` and its --policy-option keys."
    try:
        described: object = cls.describe(spec, **request.policy_options)
    except BenchError:
        raise
    except Exception as error:  # other people's code
        raise BadInput(
            f"Policy '{request.policy}' cannot describe itself: {reason(error)}.", fix
        ) from error
    if not isinstance(described, PolicySpec):
        raise BadInput(f"Policy '{request.policy}' describes itself by {described!r}.", fix)
    return described


def _record(
    request: RunRequest,
    suite: Suite,
    whole: Suite,
    cls: type[Policy],
    spec: PolicySpec,
    execution: str,
    facts: Mapping[str, JSON],
    provenance: Mapping[str, JSON],
) -> tuple[RunRecord, str]:
    """The run, whose id does not tell how many of `whole` were asked for, and its former id."""
    code = _source_hash(cls)
    configuration: dict[str, Any] = {
        "policy": request.policy,
        "policy_options": dict(request.policy_options),
        "suite": suite.name,
        "options": dict(suite.options),
        "execution": execution,
        "comparability": {
            "simulator": suite.simulator,
            "protocol": suite.protocol,
            "success": suite.success,
            **({CONTRAST: " ".join(suite.contrast)} if suite.contrast else {}),
            **facts,
        },
    }
    apart = configuration | {"checkpoint": spec.checkpoint, "code": code}
    label = re.sub(r"[^\w.-]+", "-", request.policy.rpartition(":")[2])
    name, former = (
        request.run_id or f"{suite.name}-{label}-{_digest(apart, episodes)}"
        for episodes in (whole.episodes, suite.episodes)
    )
    record = RunRecord(
        id=name,
        simulator=suite.simulator,
        plan=tuple(episode.key for episode in suite.episodes),
        metrics=suite.metrics,
        success_rule=suite.success,
        checkpoint=spec.checkpoint or f"code {code}",
        training_split=spec.training_split,
        privileged=spec.privileged,
        protocol=suite.protocol,
        seed=request.seed,
        provenance={
            **collect(command_line()),
            "suite_file": request.suite,
            "batch_invariant": spec.batch_invariant,
            **({"arithmetic": dict(spec.arithmetic)} if spec.arithmetic else {}),
            **({"selected_from": request.selected_from} if request.selected_from > 1 else {}),
            **provenance,
        },
        **configuration,
    )
    return record, former


def _digest(configuration: Mapping[str, Any], episodes: Sequence[Episode]) -> str:
    played = [{**asdict(episode), "setup": dict(episode.setup)} for episode in episodes]
    identity = json.dumps({**configuration, "episodes": played}, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:8]


def _facts(suite: Suite, rendering: bool, interpreter: Interpreter | None) -> Mapping[str, str]:
    """What `preflight` says, where it can be said. Raises BadInput as it does."""
    if interpreter is None:
        return preflight(plugin(suite.simulator), suite.options, rendering)
    subject: Subject = "facts with pictures" if rendering else "facts"
    name, here = target(suite.simulator), (os.getcwd(),)
    return inquire(
        Inquiry(name, suite.options, subject, path_entries=here, interpreter=interpreter)
    )


def _source_hash(cls: type[Policy]) -> str:
    """A policy whose code changed must not continue its old run."""
    file = inspect.getsourcefile(cls)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:8] if file else ""


def _available_mb() -> float:
    """MemAvailable, but no more than the control group allows."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    line = next(line for line in lines if line.startswith("MemAvailable"))
    available = float(line.split()[1]) / 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        available = min(available, (int(text) - used) / 2**20)
    return available
