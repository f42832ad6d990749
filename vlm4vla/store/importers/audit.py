"""Episodes of ManipulationBenchmarkAudit (github.com/ripl, MIT), one by one.

Eight forms of CSV, told apart by their header, or by what their first line holds where they have
none: CALVIN's sequences (official, with resampled poses, fresh), SimplerEnv's WidowX tasks (24
poses 12 times over; altered scenes; a script on the grid), LIBERO's instances (with columns that
differ by policy), and the shortcut policies' `trials.csv`.

Episodes of one pose repeat one another: how many of each pose succeeded is kept with the source, so
that an interval can count what they are worth. Policies that met the same instances can be paired.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core.episode import JSON
from vlm4vla.core.errors import BadInput
from vlm4vla.store.importers.found import Found, ResultFile
from vlm4vla.store.library import ImportedResult

Row = Mapping[str, str]


@dataclass(frozen=True)
class AuditEpisode:
    """One episode of one policy."""

    policy: str
    suite: str
    protocol: str
    task: str
    instance: str
    """The same for every policy that met it: what is paired."""
    cluster: str
    """The same for episodes that repeat one another."""
    value: float
    """Success, or CALVIN's tasks completed."""
    error: bool = False


_TASKS = {"stack": "cube"}
_CALVIN, _BRIDGE = "calvin_abcd", "simpler_bridge"
_CONDITIONS = {"calibration": _CALVIN, "resampled_pose": "calvin_abcd_resampled"}
_TRUE = {"1", "true", "True"}


def _sequence(row: Row, suite: str, protocol: str) -> AuditEpisode:
    index = row["global_index"]
    tasks = float(row["tasks_completed"])
    return AuditEpisode(row["policy"], suite, protocol, "all", index, index, tasks)


def _resampled(row: Row, file: ResultFile) -> AuditEpisode:
    return _sequence(row, _CONDITIONS[row["condition"]], row["manifest_id"])


def _fresh(row: Row, file: ResultFile) -> AuditEpisode:
    return _sequence(row, "calvin_abcd_fresh", row["manifest_id"])


def _grid(row: Row, file: ResultFile) -> AuditEpisode:
    task, pose = _TASKS.get(row["task"], row["task"]), row["official_episode_id"]
    return AuditEpisode(
        row["policy"], _BRIDGE, "official poses, repeated", task, f"{pose} {row['repeat_id']}",
        pose, float(row["success"] in _TRUE), bool(row["error"]),
    )  # fmt: skip


def _altered(row: Row, file: ResultFile) -> AuditEpisode:
    episode = row["episode_id"]
    return AuditEpisode(
        row["policy"], f"{_BRIDGE} {row['condition']}", "altered stacking", "cube", episode,
        episode, float(row["success"] in _TRUE), bool(row["error"]),
    )  # fmt: skip


def _libero(row: Row, file: ResultFile) -> AuditEpisode:
    instance = row["instance_id"]
    return AuditEpisode(
        row.get("package_policy_slug") or row["policy_name"], row["suite"],
        "shared fresh instances", row["task_name"], instance, instance,
        float(row["success"] in _TRUE), bool(row.get("error_type")),
    )  # fmt: skip


def _scripted(row: Row, file: ResultFile) -> AuditEpisode:
    task, pose = _TASKS.get(row["task"], row["task"]), row["grid_episode_id"]
    policy = file.asked.policy or "scripted"
    success = float(row["success"] in _TRUE)
    return AuditEpisode(policy, _BRIDGE, "official poses", task, pose, pose, success)


def _bare_chain(row: Row, file: ResultFile) -> AuditEpisode:
    policy, index = file.needed(file.asked.policy, "--policy"), row["0"]
    suite = file.asked.suite or _CALVIN
    return AuditEpisode(policy, suite, "", "all", index, index, float(row["1"]))


def _bare_trial(row: Row, file: ResultFile) -> AuditEpisode:
    policy = file.needed(file.asked.policy, "--policy")
    suite, instance = file.needed(file.asked.suite, "--suite"), f"{row['1']} {row['2']}"
    return AuditEpisode(policy, suite, "", row["1"], instance, instance, float(row["3"] in _TRUE))


_Form = tuple[frozenset[str], Callable[[Row, ResultFile], AuditEpisode]]
_FORMS: tuple[_Form, ...] = tuple(
    (frozenset(names.split()), form)
    for names, form in (
        ("policy condition manifest_id global_index tasks_completed", _resampled),
        ("policy fresh_seed manifest_id global_index tasks_completed", _fresh),
        ("policy task official_episode_id repeat_id success error", _grid),
        ("policy condition episode_id success error source_color", _altered),
        ("suite task_name instance_id success num_env_steps", _libero),
        ("task grid_episode_id success steps reward", _scripted),
    )
)
"""Columns that a form needs; others may be there."""


def is_episodes(file: ResultFile) -> bool:
    """Whether the header, or the first line of a `trials.csv`, is of one of the forms."""
    return _form(file) is not None


def _form(file: ResultFile) -> Callable[[Row, ResultFile], AuditEpisode] | None:
    first = next(csv.reader(file.text.splitlines()[:1]), [])
    for names, form in _FORMS:
        if names <= set(first):
            return form
    if file.path.name == "trials.csv":
        if len(first) == 2 and first[0].isdigit() and first[1] in set("012345"):
            return _bare_chain
        if len(first) == 4 and first[0].isdigit() and first[3] in {"0", "1"}:
            return _bare_trial
    return None


def outcomes(file: ResultFile) -> list[AuditEpisode]:
    """Every episode of the file. Raises InvalidFile."""
    form = _form(file)
    if form is None:
        raise file.invalid("no form of the audit's episodes")
    lines = list(csv.reader(file.text.splitlines()))
    header = [str(i) for i in range(len(lines[0]))]
    if form not in (_bare_chain, _bare_trial):
        header = lines.pop(0)
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(form(dict(zip(header, line, strict=True)), file))
        except (KeyError, ValueError) as error:
            raise file.invalid(f"episode {number}: {error}") from error
    return found


def read_episodes(file: ResultFile) -> Found:
    """The rates of every policy on every suite, by task where there are several."""
    groups: dict[tuple[str, ...], list[AuditEpisode]] = {}
    for one in outcomes(file):
        key = (one.policy, one.suite, one.protocol)
        groups.setdefault((*key, "all"), []).append(one)
        if one.task != "all":
            groups.setdefault((*key, one.task), []).append(one)
    results = [result for key, of in groups.items() for result in _results(key, of)]
    repeated: dict[str, JSON] = {}
    for names, of in groups.items():
        done = [one for one in of if not one.error]
        clusters = _clusters(done).astype(int)
        if len(set(clusters)) < len(done):
            tries = np.bincount(clusters)
            hits = np.bincount(clusters, [one.value for one in done]).astype(int)
            repeated["|".join(names)] = [[int(k), int(n)] for k, n in zip(hits, tries, strict=True)]
    return Found("audit", tuple(results), provenance={_REPEATS: repeated} if repeated else {})


_REPEATS = "successes and trials of what repeats"


def repeats(provenance: Mapping[str, JSON], result: ImportedResult) -> list[tuple[int, int]]:
    """Successes and trials by pose of an imported rate; empty where nothing repeats."""
    key = "|".join((result.policy, result.suite, result.protocol, result.task))
    said = provenance.get("file says")
    kept = said.get(_REPEATS) if isinstance(said, dict) else None
    found = kept.get(key) if isinstance(kept, dict) else None
    return [(k, n) for k, n in found] if isinstance(found, list) else []


def _results(key: tuple[str, ...], of: Sequence[AuditEpisode]) -> list[ImportedResult]:
    policy, suite, protocol, task = key
    done = [one for one in of if not one.error]
    n, errors = len(done), len(of) - len(done)
    if not n:
        return []
    values = np.array([one.value for one in done])
    rate = ImportedResult(policy, suite, task, "success", "rate", 0.0, n, 0, errors, protocol)
    if not suite.startswith("calvin"):
        return [replace(rate, value=float(values.mean()), k=round(values.sum()))]
    mean = replace(rate, metric="length", kind="mean", value=float(values.mean()), k=None)
    counts = [int((values >= k).sum()) for k in range(1, 6)]
    return [mean, *(replace(rate, metric=f"sr{i}", value=k / n, k=k)
                    for i, k in enumerate(counts, start=1))]  # fmt: skip


def _clusters(of: Sequence[AuditEpisode]) -> NDArray[np.float64]:
    names = {name: i for i, name in enumerate(dict.fromkeys((o.task, o.cluster) for o in of))}
    return np.array([names[one.task, one.cluster] for one in of], dtype=np.float64)


def paired(
    first: Sequence[AuditEpisode], second: Sequence[AuditEpisode]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Episodes of two policies, or of one on two suites, that are the same instance of a task.

    Returns:
        Values (n, 2), and clusters (n,): equal for pairs that repeat one another.

    Raises:
        BadInput: an instance comes twice on a side, or none is on both.
    """
    sides = []
    for side in (first, second):
        by = {(one.task, one.instance): one for one in side if not one.error}
        if len(by) < sum(not one.error for one in side):
            raise BadInput("An instance comes twice: several policies or seeds are on one side.")
        sides.append(by)
    one, other = sides
    both = [key for key in one if key in other]
    if not both:
        raise BadInput("The two have no instance in common.")
    values = np.array([[one[key].value, other[key].value] for key in both])
    return values, _clusters([one[key] for key in both])
