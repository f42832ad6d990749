"""Every error a user can meet, named after the mistake, with the line that fixes it.

Two families. `BadInput` is raised before any work starts and ends the command with exit code 2.
`EpisodeError` happens inside one episode; the engine records its `kind`, retries or quarantines
the episode, and the run goes on.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from enum import StrEnum


class BenchError(Exception):
    """What happened, and (`fix`) what to type instead."""

    def __init__(self, message: str, fix: str = "") -> None:
        """Keep the sentence and its remedy apart, so that the CLI can set them apart too."""
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        """Message and fix on separate lines."""
        return f"{self.message}\n{self.fix}" if self.fix else self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes by message and fix, whatever a class is constructed from."""
        return rebuilt, (type(self), self.message, self.fix), vars(self)


def rebuilt(kind: type[BenchError], message: str, fix: str) -> BenchError:
    """An error of that class that says this."""
    error = kind.__new__(kind, message)
    BenchError.__init__(error, message, fix)
    return error


class BadInput(BenchError):
    """Something the user handed in cannot be used; nothing has been started."""


class UnknownName(BadInput):
    """A suite, policy, task, ... that does not exist; the nearest existing names are offered."""

    def __init__(self, what: str, name: str, known: Iterable[str], fix: str = "") -> None:
        """Offer up to three near misses of `name` among `known`, or all of a short list."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            hint = f"Did you mean {' or '.join(near)}?"
        elif names and len(names) <= 12:
            hint = f"Known: {', '.join(names)}."
        else:
            hint = ""
        super().__init__(f"There is no {what} named '{name}'. {hint}".strip(), fix)

    @classmethod
    def check(cls, what: str, names: Iterable[str], known: Collection[str], fix: str = "") -> None:
        """Raise it for the first of these names that is not among those known."""
        for name in names:
            if name not in known:
                raise cls(what, name, known, fix)


class SpecMismatch(BadInput):
    """A policy and a simulator speak conventions that cannot be converted into each other."""


class InvalidFile(BadInput):
    """A suite, campaign, action or data file does not say what it must."""


class OutOfRange(BadInput):
    """A number, index or seed outside what exists."""


class MissingDependency(BadInput):
    """A package that the chosen simulator, policy or output needs is not installed."""


class MissingEnvironment(BadInput):
    """A simulator's own Python is not installed, or not as its environment says."""


class WrongPython(BadInput):
    """An interpreter of a version that simulators do not run in."""


class WrongVersion(BadInput):
    """A package of a version that is known to change scores."""


class StaleSource(BadInput):
    """A simulator's Python holds another vlm4vla than the one that is running."""


class MissingAsset(BadInput):
    """A simulator's data file is absent or altered."""


class RendererUnavailable(BadInput):
    """The simulator's renderer cannot be opened on this machine."""


class StoreError(BadInput):
    """The results store cannot be opened, read or written."""


class RunConflict(BadInput):
    """An existing run has another configuration, or is being written by another process."""


class ErrorKind(StrEnum):
    """Who is to blame for an episode without an outcome."""

    SIMULATOR = "simulator"  # the simulator raised
    CRASH = "crash"  # the simulator's process died
    HANG = "hang"  # no progress within the watchdog's time
    MEMORY = "memory"  # the simulator's process outgrew its limit
    POLICY = "policy"  # the policy raised, or sent non-finite or misshapen actions
    HARNESS = "harness"  # the engine's own machinery was lost (policy server, worker)


class EpisodeError(BenchError):
    """An episode could not be finished."""

    kind = ErrorKind.HARNESS


class SimulatorFault(EpisodeError):
    """The simulator raised while an episode was running."""

    kind = ErrorKind.SIMULATOR


class PolicyFault(EpisodeError):
    """The policy raised, or answered with something that is not a finite action chunk."""

    kind = ErrorKind.POLICY


class HarnessFault(EpisodeError):
    """The connection to the policy server broke."""


class ResetNeeded(BenchError):
    """`advance` or `observe` was called before `reset`, or after the episode ended."""
