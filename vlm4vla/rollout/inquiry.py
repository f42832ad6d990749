"""Questions that only a simulator's own Python can answer, put to a host that does nothing else."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vlm4vla.core import errors
from vlm4vla.core.errors import BadInput, BenchError, MissingDependency, StaleSource
from vlm4vla.core.reference import reason
from vlm4vla.core.simulator import Options
from vlm4vla.core.source import own_hash
from vlm4vla.rollout import control
from vlm4vla.rollout.child import Child, Interpreter
from vlm4vla.simulators import plugin
from vlm4vla.simulators.registry import target

LIMIT_S = 300.0
"""A simulator that is imported for the first time may compile its modules."""

DEVICE = "device"


@dataclass(frozen=True)
class Inquiry:
    """What is asked of a host in place of episodes."""

    simulator: str
    """`module:Class`."""
    options: Options
    subject: Literal["facts", "facts with pictures", "renderer"]
    path_entries: Sequence[str] = ()
    interpreter: Interpreter | None = None


def facts(
    simulator: str,
    options: Options,
    rendering: bool,
    interpreter: Interpreter | None,
    path_entries: Sequence[str] = (),
) -> Mapping[str, str]:
    """What `SimulatorPlugin.preflight` says in the Python that the simulator runs in.

    Raises BadInput as it does, and where that Python cannot be asked.
    """
    if interpreter is None:
        return plugin(simulator).preflight(options, rendering)
    subject: Literal["facts", "facts with pictures"]
    subject = "facts with pictures" if rendering else "facts"
    return inquire(Inquiry(target(simulator), options, subject, path_entries, interpreter))


def inquire(inquiry: Inquiry, limit_s: float = LIMIT_S) -> Mapping[str, str]:
    """Ask a fresh host, whose death, silence or refusal becomes an error. Raises BadInput."""
    child = Child(inquiry.interpreter)
    mend = inquiry.interpreter.mend if inquiry.interpreter else ""
    try:
        control.send(child.control, inquiry)
        if not child.control.poll(limit_s):
            raise BadInput(f"The simulator did not answer within {limit_s:g} s.", mend)
        answer: Mapping[str, str] | BenchError = child.control.recv()
    except (EOFError, OSError) as error:
        last = (child.log_tail().splitlines() or ["it said nothing"])[-1]
        raise BadInput(f"{child.post_mortem()}: {last}", mend) from error
    finally:
        child.kill()
    if isinstance(answer, BenchError):
        raise answer
    return answer


def answer(inquiry: Inquiry) -> Mapping[str, str] | BenchError:
    """The host's side: what is asked for, or why it cannot be said."""
    mend = inquiry.interpreter.mend if inquiry.interpreter else ""
    try:
        check_source(inquiry.interpreter)
        simulator = plugin(inquiry.simulator)
        if inquiry.subject == "renderer":
            return {DEVICE: simulator.open_renderer()}
        return dict(simulator.preflight(inquiry.options, inquiry.subject != "facts"))
    except ImportError as error:
        return MissingDependency(f"{sys.executable} lacks a package: {reason(error)}.", mend)
    except BenchError as error:
        if mend and isinstance(error.__cause__, ImportError):
            return MissingDependency(f"{sys.executable}: {error.message}", mend)
        return _known(error)
    except Exception as error:  # other people's code
        return BadInput(f"The simulator cannot be checked: {reason(error)}.", mend)


def check_source(interpreter: Interpreter | None) -> None:
    """Raise StaleSource unless this process runs from the source that it was started for."""
    if interpreter is not None and own_hash() != interpreter.source:
        raise StaleSource(
            f"{sys.executable} imports vlm4vla of the source {own_hash()}, "
            f"not {interpreter.source}.",
            interpreter.mend,
        )


def _known(error: BenchError) -> BenchError:
    """The same as an error of core: who asks may not be able to import the class."""
    kind = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    assert issubclass(kind, BenchError)
    return errors.rebuilt(kind, error.message, error.fix)
