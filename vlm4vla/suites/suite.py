"""A suite: which episodes are run in which simulator, and what is counted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from vlm4vla.core.episode import JSON, Episode
from vlm4vla.core.errors import BadInput, InvalidFile, OutOfRange, UnknownName
from vlm4vla.core.reference import load_object
from vlm4vla.core.result import Metric
from vlm4vla.suites.files import load_file
from vlm4vla.suites.schema import Protocol, SuiteFile

Scalar = str | int | float | bool

GENERATORS = {
    "toy": "vlm4vla.suites.toy:episodes",
    "calvin": "vlm4vla.suites.calvin:episodes",
    "grinningface": "vlm4vla.suites.grinningface:episodes",
    "libero": "vlm4vla.suites.libero:episodes",
    "simpler_bridge": "vlm4vla.suites.simpler_bridge:episodes",
    "simpler_google": "vlm4vla.suites.simpler_google:episodes",
}
"""Simulator -> `module:function(suite, arguments, options) -> list[Episode]`."""

Generator = Callable[[str, Mapping[str, JSON], Mapping[str, JSON]], list[Episode]]


@dataclass(frozen=True)
class Suite:
    """A suite with its options settled and its episodes listed."""

    name: str
    summary: str
    simulator: str
    options: Mapping[str, JSON]
    protocol: str
    episodes: tuple[Episode, ...]
    metrics: tuple[Metric, ...]
    success: Literal["last", "any"]
    execution: str = ""
    contrast: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names in the order of their first episode."""
        return tuple(dict.fromkeys(episode.key.task for episode in self.episodes))

    @property
    def digest(self) -> str:
        """Equal where all episodes are; a seed of the run's own is no part of it."""
        listed = [(e.key.task, e.key.init, e.digest) for e in self.episodes]
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]

    def narrowed(
        self,
        tasks: Sequence[str] = (),
        inits: Sequence[int] = (),
        count: int | None = None,
        seed: int = 0,
    ) -> Suite:
        """The episodes of these tasks and inits, the first `count` of each task, all with `seed`.

        A task is named, or numbered by its place in the suite, from 0.

        Raises UnknownName or OutOfRange, naming what exists.
        """
        tasks = [self._task(task) for task in tasks]
        if seed < 0 or seed >= 2**31:
            raise OutOfRange(f"Seed {seed} is outside 0..2147483647.", "Choose e.g. --seed 0.")
        chosen = [e for e in self.episodes if not tasks or e.key.task in tasks]
        wanted, known = set(inits), {e.key.init for e in chosen}
        if wanted - known:
            raise OutOfRange(
                f"Suite '{self.name}' has no init {min(wanted - known)}; "
                f"it has {min(known)} to {max(known)}."
            )
        chosen = [e for e in chosen if not wanted or e.key.init in wanted]
        if count is not None:
            chosen = _first_of_each_task(self.name, chosen, count)
        episodes = tuple(replace(e, key=replace(e.key, seed=seed)) for e in chosen)
        return replace(self, episodes=episodes)

    def _task(self, said: str) -> str:
        known = self.tasks
        if said not in known and said.isdecimal() and int(said) < len(known):
            return known[int(said)]
        fix = f"{self.name}: {self.summary}. Or by number: --task 0 to --task {len(known) - 1}"
        UnknownName.check(f"task in suite '{self.name}'", [said], known, fix)
        return said


def load(
    name_or_path: str, protocol: str | None = None, overrides: Mapping[str, Scalar] | None = None
) -> Suite:
    """The suite with a protocol and the user's option overrides applied, episodes generated."""
    file = load_file(name_or_path)
    protocol = protocol or "default"
    protocols = {"default": Protocol(summary=""), **file.protocols}
    UnknownName.check(f"protocol in suite '{file.name}'", [protocol], protocols)
    chosen = protocols[protocol]
    options = {**file.options, **chosen.options, **(overrides or {})}
    return Suite(
        name=file.name,
        summary=file.summary,
        simulator=file.simulator,
        options=options,
        protocol=protocol,
        episodes=tuple(_generate(file, options)),
        metrics=(
            *(one.metric for one in file.metrics),
            *(
                Metric(name=measure, kind="rate", of=measure, table=table)
                for table, measures in file.tables.items()
                for measure in measures
            ),
        ),
        success=file.success,
        execution=chosen.execution or file.execution,
        contrast=tuple(chosen.contrast),
    )


def _generate(file: SuiteFile, options: Mapping[str, JSON]) -> list[Episode]:
    target = file.generator or GENERATORS.get(file.simulator, "")
    if not target:
        raise BadInput(
            f"Suite '{file.name}': nothing generates episodes for '{file.simulator}'.",
            "Add `generator: module:function` to the suite file.",
        )
    fix = "Write `generator: module:function` with a module importable from this folder."
    generator = load_object("Episode generator", target, fix)
    if not callable(generator):
        raise BadInput(f"Episode generator '{target}' is not a function.", fix)
    episodes = cast(Generator, generator)(file.name, file.episodes, options)
    if not episodes:
        raise InvalidFile(f"Suite '{file.name}' has no episodes.")
    return episodes


def _first_of_each_task(suite: str, episodes: Iterable[Episode], count: int) -> list[Episode]:
    by_task: dict[str, list[Episode]] = {}
    for episode in episodes:
        by_task.setdefault(episode.key.task, []).append(episode)
    fewest = min((len(group) for group in by_task.values()), default=0)
    if not 1 <= count <= fewest:
        raise OutOfRange(f"--episodes {count}: suite '{suite}' has 1 to {fewest} a task.")
    return [episode for group in by_task.values() for episode in group[:count]]
