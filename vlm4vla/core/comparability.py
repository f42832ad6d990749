"""Facts that change scores, and when two sets of them forbid a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlm4vla.core.episode import JSON

STAND_IN = "stand_in"
"""A fact whose name begins so (`stand_in.robot`) says by what an asset of the benchmark was
replaced. Reports mark the numbers of such runs."""

CONTRAST = "contrast"
"""The fact that names others, blank between them: those in which the run differs on purpose from
the runs it is to be compared with, as a control does from what it controls for."""

EPISODES = "episodes"
"""The fact that tells suites of one name apart: a digest of all their episodes."""


def conflicts(facts: Sequence[Mapping[str, JSON]]) -> dict[str, tuple[str, ...]]:
    """Facts on which these runs disagree: name -> the different values.

    A fact that a run does not state did not matter to it: a policy that sees nothing has no
    renderer, and may be set beside one that does. A control has episodes of its own.
    """
    found: dict[str, tuple[str, ...]] = {}
    meant = {name for fact in facts for name in str(fact.get(CONTRAST, "")).split()} | {CONTRAST}
    if len(meant) > 1:
        meant.add(EPISODES)
    for name in sorted({name for fact in facts for name in fact} - meant):
        values = sorted({str(fact[name]) for fact in facts if name in fact})
        if len(values) > 1:
            found[name] = tuple(values)
    return found


def differing(facts: Sequence[Mapping[str, JSON]]) -> str:
    """The conflicts of these runs in words; empty if none."""
    found = conflicts(facts)
    return ", ".join(f"{name} ({' / '.join(values)})" for name, values in found.items())
