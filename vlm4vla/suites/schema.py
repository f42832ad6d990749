"""What a suite file may say. pydantic at the border, frozen dataclasses behind it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vlm4vla.core.result import Metric

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]


class Strict(BaseModel):
    """Unknown fields are errors: a misspelt setting must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricFields(Strict):
    """A `core.metric.Metric` as a suite file says it."""

    name: Name
    kind: Literal["rate", "mean"]
    of: str
    given: str | None = None
    chance: float | None = None
    headline: bool = False
    table: str = ""

    @property
    def metric(self) -> Metric:
        """The metric itself."""
        return Metric(**dict(self))


class Protocol(Strict):
    """A named reading of the suite, e.g. the paper's: what it changes."""

    summary: str
    options: dict[str, str | int | float | bool] = {}
    execution: str = ""
    """In place of the suite's."""
    contrast: list[Name] = []
    """Facts of comparability in which its runs differ on purpose from the suite's others: they are
    compared all the same."""


class SuiteFacts(Strict):
    """What reports know of a suite, also of one that is only printed (`benchmarks/families/`)."""

    differs: str = ""
    """In what a printed number differs at least from one measured here."""
    poses: int = 0
    """Inits that are equal modulo this begin at one pose, so that they are no trials of their own:
    intervals count poses. 0 where no init repeats another."""
    metrics: Annotated[list[MetricFields], Field(min_length=1)] = [
        MetricFields(name="success", kind="rate", of="success", headline=True)
    ]


class SuiteFile(SuiteFacts):
    """One file of `benchmarks/`, with what it extends."""

    extends: str = ""
    """A suite or family whose fields are taken over: its name, or a file beside this one."""
    name: Name
    summary: str
    simulator: str
    """A registered name, or `module:Class` of a SimulatorPlugin."""
    source: str = ""
    """Where the protocol comes from (paper, repository, section)."""
    options: dict[str, str | int | float | bool] = {}
    """How the simulator is set up. Part of comparability."""
    episodes: dict[str, str | int | float | bool] = {}
    """Arguments of the simulator's episode generator (split, count, seed, ...)."""
    generator: str = ""
    """`module:function` of the episode generator, for simulators of other packages."""
    protocols: dict[Name, Protocol] = {}
    tables: dict[Name, list[str]] = {}
    """Further tables, shown by `--by-task`: the rate of each of these measures over the episodes in
    which it is defined, e.g. of a chain's subtasks over the chains that came to them."""
    success: Literal["last", "any"] = "last"
    """Whether success counts at the last step or at any."""
    execution: str = ""
    """How much of a chunk the protocol executes; empty: as the policy says. `--execute` wins."""
    trained_on: str = ""
    """The training split that the suite's name promises, e.g. `ABC`; shown beside every run's."""
