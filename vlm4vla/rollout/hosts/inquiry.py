"""Questions that only a simulator's own Python can answer, put to a host that does nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vlm4vla.core.errors import BadInput, BenchError
from vlm4vla.core.simulator import Options
from vlm4vla.rollout.hosts import control
from vlm4vla.rollout.hosts.child import Child, Interpreter

LIMIT_S = 300.0
"""A simulator that is imported for the first time may compile its modules."""

DEVICE = "device"
"""What the answer about a renderer is called."""

Subject = Literal["facts", "facts with pictures", "renderer"]


@dataclass(frozen=True)
class Inquiry:
    """What is asked of a host in place of episodes."""

    simulator: str
    """`module:Class`."""
    options: Options
    subject: Subject
    path_entries: Sequence[str] = ()
    interpreter: Interpreter | None = None


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
