"""Actions executed again: the same states, the same outcome, and pictures after the fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from vlm4vla.core.comparability import conflicts
from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput, InvalidFile, OutOfRange
from vlm4vla.core.result import EpisodeResult
from vlm4vla.core.simulator import DRAWN, INSTRUCTED_AT, Floats
from vlm4vla.core.specs import CameraRequest, ObservationRequest, PolicySpec
from vlm4vla.demonstrations import libero
from vlm4vla.rollout.episode_loop import LoopConfig
from vlm4vla.rollout.execution import Execution
from vlm4vla.rollout.hosts.host import Assignment
from vlm4vla.rollout.hosts.host_process import HostProcess
from vlm4vla.rollout.recording import Recording
from vlm4vla.runs.plan import RunPlan, resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import EpisodeRow, RunRecord, Store, Trace
from vlm4vla.suites.suite import Scalar


@dataclass(frozen=True)
class Replay:
    """What a replay showed."""

    result: EpisodeResult
    stored: EpisodeRow | None = None
    """The episode's row, where the actions came from a run."""
    changed: tuple[str, ...] = ()
    """Versions, assets, ... that are not what the run had: reasons for a different outcome."""

    @property
    def differences(self) -> tuple[str, ...]:
        """What is not as it was stored, in words; empty if everything agrees."""
        if self.stored is None:
            return ()
        old, new = _told(self.stored), _told(self.result)
        differing = [name for name in old if old[name] != new[name]]
        return tuple(f"{name}: stored {old[name]}, replayed {new[name]}" for name in differing)


def _told(episode: EpisodeRow | EpisodeResult) -> dict[str, object]:
    return {
        "outcome": episode.outcome.value,
        "success at any step": episode.success_any,
        "steps": episode.steps,
        "stages": dict(episode.stages),
        "measures": dict(episode.measures),
    }


@dataclass(frozen=True)
class Pictures:
    """What to write while replaying."""

    video: Path | None = None
    frames: Path | None = None
    """Folder for `CAMERA/STEP.png`, one a query: the first camera as the policy saw it."""
    most: int | None = None
    """Render only so many of the queries, evenly spaced, the first and the last among them."""


_NONE = Pictures()
_SAVE = "Save one row an action: numpy.save(FILE, actions)"


def replay_stored(
    store: Store,
    run: str,
    task: str | None,
    init: int,
    pictures: Pictures = _NONE,
    python: str | None = None,
) -> Replay:
    """Replay one episode of a stored run, in the Python it ran in or in `python`.

    Raises BadInput where there is nothing to replay.
    """
    record = store.run(run)
    rows = [row for row in store.episodes(record.id) if row.key.init == init]
    rows = [row for row in rows if task in (None, row.key.task)]
    if not rows:
        raise OutOfRange(
            f"Run {record.id} holds no episode {f'{task}/' if task else ''}{init}.",
            f"bench show {record.id}",
        )
    if len(rows) > 1:
        raise BadInput(
            f"Run {record.id} holds init {init} of several tasks.",
            f"Say which: --episode {' or '.join(f'{row.key.task}/{init}' for row in rows)}",
        )
    row = rows[0]
    seeing = request_of(record, (row.key.task,), (init,), as_played=bool(pictures.frames))
    plan = _resolved(replace(seeing, python=python or seeing.python), pictures)
    differing = conflicts([record.comparability, plan.record.comparability])
    changed = tuple(f"{name}: {' / '.join(values)}" for name, values in differing.items())
    trace = store.trace(record.id, row.key)
    if trace.drawn.size:
        plan = _prepared(plan, DRAWN, trace.drawn.tolist())
    declared = row.measures.get(INSTRUCTED_AT)
    result = _replay(plan, trace, pictures, None if declared is None else int(declared))
    return Replay(result, row, changed)


def request_of(
    record: RunRecord,
    tasks: tuple[str, ...] = (),
    inits: tuple[int, ...] = (),
    as_played: bool = False,
) -> RunRequest:
    """The request that a stored run came from, for these of its episodes.

    Its policy is needed only `as_played`: who merely repeats its actions need not have it.
    """
    return RunRequest(
        python=record.brought_python,
        policy=record.policy if as_played else "random",
        suite=str(record.provenance.get("suite_file", record.suite)),
        tasks=tasks,
        inits=inits,
        seed=record.seed,
        protocol=record.protocol,
        options=cast(Mapping[str, Scalar], record.options),
        policy_options={k: str(v) for k, v in record.policy_options.items()} if as_played else {},
    )


def replay_file(request: RunRequest, actions: Path, pictures: Pictures = _NONE) -> Replay:
    """Replay a raw list of actions, (T, A) in the simulator's own convention.

    Of a file of LIBERO's demonstrations, `init` is the demonstration's number. Whatever their init,
    LIBERO's lists are recorded after one reset, the first of the community's order.
    """
    plan = _resolved(request, pictures)
    if len(plan.suite.episodes) != 1:
        raise BadInput(
            f"{len(plan.suite.episodes)} episodes are meant, one is needed.",
            "Say which with --task and --init.",
        )
    if plan.suite.simulator != "libero":
        found = _load(actions)
    elif libero.files(actions):
        found, state = libero.recorded(actions, plan.suite.episodes[0].key.init)
        plan = _prepared(plan, "state", state.tolist())
    else:
        found = _load(actions)
        plan = _prepared(plan, "resets", 0)
    loaded = _checked(found, actions, plan.simulator_spec.action.size)
    asked = tuple(range(len(loaded)))
    return Replay(_replay(plan, Trace(loaded, asked, np.zeros(0)), pictures))


def _prepared(plan: RunPlan, name: str, value: JSON) -> RunPlan:
    """The plan of one episode with one more word in its setup."""
    (episode,) = plan.suite.episodes
    episode = replace(episode, setup={**episode.setup, name: value})
    return replace(plan, suite=replace(plan.suite, episodes=(episode,)))


def _resolved(request: RunRequest, pictures: Pictures) -> RunPlan:
    """The plan, once all that the pictures need is there too."""
    plan = resolve(replace(request, video="all" if pictures.video else "none"))
    if pictures.frames and not pictures.video:
        plan.facts(rendering=True)
    return plan


def _load(path: Path) -> Floats:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InvalidFile(f"{path} is not a .npy file of actions: {error}.", _SAVE) from error
    if not isinstance(loaded, np.ndarray) or loaded.dtype.kind not in "biuf":
        raise InvalidFile(f"{path} does not hold one array of real numbers.", _SAVE)
    return loaded.astype(np.float64)


def _checked(actions: Floats, path: Path, size: int) -> Floats:
    if actions.ndim != 2 or actions.shape[1] != size or not len(actions):
        raise InvalidFile(f"{path} holds {actions.shape}; the simulator takes (T, {size}).", _SAVE)
    if not np.isfinite(actions).all():
        raise InvalidFile(f"{path} contains NaN or infinity.", _SAVE)
    return actions


def _replay(
    plan: RunPlan, trace: Trace, pictures: Pictures, declared: int | None = None
) -> EpisodeResult:
    """Run the actions in a simulator host of its own: a crash there is an error result here."""
    cameras = plan.policy_spec.request.cameras or tuple(
        CameraRequest(camera.name) for camera in plan.simulator_spec.observation.cameras
    )
    seen = ObservationRequest(cameras[:1] if pictures.frames else ())
    loop = LoopConfig(
        simulator=plan.simulator_spec,
        policy=PolicySpec(plan.simulator_spec.action, seen),
        execution=Execution.parse("chunk"),
        success=plan.suite.success,
        video="all" if pictures.video else "none",
    )
    asked = _spaced(trace.query_steps, pictures.most)
    recording = Recording(trace.actions, asked, str(pictures.frames or ""), declared)
    film = str(pictures.video or "")
    host = HostProcess(replace(plan.host, loop=loop))
    try:
        return host.run(Assignment(plan.suite.episodes[0], recording=recording, video=film))
    finally:
        host.kill()


def _spaced(asked: tuple[int, ...], most: int | None) -> tuple[int, ...]:
    """At most so many of the steps, the first and the last among them."""
    if most is None or len(asked) <= most:
        return asked
    last = max(1, most - 1)
    return tuple(asked[round(i * (len(asked) - 1) / last)] for i in range(most))
