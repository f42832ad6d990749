"""What a comparison says, in plain English: who is better, and what must be said beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from vlm4vla.core.comparability import differing
from vlm4vla.core.result import Outcome
from vlm4vla.reports import marks
from vlm4vla.reports.compare.contrast import Contrast, Sides, Terms
from vlm4vla.reports.scores import status_of
from vlm4vla.reports.tables.numbers import amount, counted, p_text
from vlm4vla.store import RunRecord
from vlm4vla.store.records import RunStatus

CHECKPOINTS = "One checkpoint each: a comparison of checkpoints, not of methods."
"""Without several training seeds a method's luck in training cannot be told from its merit."""

Winner = Literal["first", "second", "equivalent", "none"]


def verdict(
    found: Contrast, runs: Sequence[RunRecord], labels: Sequence[str], terms: Terms
) -> tuple[Winner, str]:
    """Who is better in the headline, and the sentences that say so of the runs by their labels."""
    if found.difference is None:
        return "none", f"No episode counts in both runs, so {found.metric} says nothing."
    winner: Winner = "none"
    tested = found.p is not None and found.p <= terms.alpha and found.difference != 0
    p_equivalent = 1.0 if found.p_equivalent is None else found.p_equivalent
    if found.decided or (found.decided is None and tested):
        winner = "first" if found.difference > 0 else "second"
        text = _separable(found, *(labels if winner == "first" else labels[::-1]))
    elif terms.margin is not None and p_equivalent < terms.alpha:
        winner = "equivalent"
        text = (
            f"{labels[0]} and {labels[1]} are equivalent in {found.metric} within "
            f"{amount(terms.margin, found.kind)} (TOST, {p_text(p_equivalent)})."
        )
    else:
        text = _not_separable(found, terms.margin)
    # What a run has for a checkpoint without weights: the code of its policy, or a replayed run.
    learned = (run.checkpoint and not run.checkpoint.startswith(("code ", "run ")) for run in runs)
    return winner, f"{text} {CHECKPOINTS}" if all(learned) else text


def _separable(found: Contrast, better: str, worse: str) -> str:
    by = amount(abs(found.difference or 0), found.kind)
    text = f"{better} is better than {worse} in {found.metric}, by {by}"
    if found.decided or found.p is None:
        return f"{text} so far: decided after {found.n} pairs by {found.test}."
    text += f" on {_episodes(found)} ({p_text(found.p)})."
    if found.bound_low is not None and found.bound_high is not None:
        if found.bound_low <= 0 <= found.bound_high:
            text += " The episodes that ended in an error could turn this round."
    return text


def _not_separable(found: Contrast, margin: float | None) -> str:
    text = f"Not separable with {_episodes(found)}"
    if found.decided is not None:
        return f"{text}: no decision by {found.test}."
    if found.more:
        text += (
            f"; about {_rounded(found.more)} more would do, if the difference is truly "
            f"{amount(abs(found.difference or 0), found.kind)}."
        )
    else:
        text += ", on which both score the same." if found.difference == 0 else "."
    if found.detectable is None:
        text += " So few cannot show any difference."
    else:
        text += f" So many can show a difference of {amount(found.detectable, found.kind)} or more."
    if margin is not None:
        text += f" Nor can they be called equivalent within {amount(margin, found.kind)}."
    return text


def _episodes(found: Contrast) -> str:
    return counted(found.n, "episode") + ("" if found.paired else " of each")


def _rounded(number: int) -> str:
    """Two digits: nobody knows more about a sample not yet drawn."""
    if number < 100:
        return str(number)
    power = 10 ** (len(str(number)) - 2)
    return f"{-(-number // power) * power:,}"


def caveats(runs: Sequence[RunRecord], sides: Sides, lines: Sequence[Contrast]) -> tuple[str, ...]:
    """Everything that keeps the numbers, the headline's first, from being what they seem."""
    notes, headline = [], lines[0]
    if unlike := differing([run.comparability for run in runs]):
        notes.append(f"The runs are of different comparability, in {unlike}: not like for like.")
    for run, done in zip(runs, sides, strict=True):
        status = status_of(run, len(done), len(run.plan))
        if status.startswith(RunStatus.INCOMPLETE):
            notes.append(f"Run {run.id} is {status}: what is said here may change.")
        elif status.startswith(RunStatus.DECIDED):
            notes.append(f"Run {run.id} was stopped by a sequential comparison ({status}).")
        if replaced := marks.stand_ins(run):
            notes.append(f"Run {run.id} used stand-in assets ({'; '.join(replaced)}).")
        if (looks := marks.looks(run)) > 1:
            text = f"Run {run.id} is the best of {looks}, chosen on these episodes: too good."
            notes.append(text)
    common, sizes = len(sides[0].keys() & sides[1].keys()), [len(done) for done in sides]
    if headline.paired and common < max(sizes):
        notes.append(
            f"Only the {common} episodes that both runs finished are compared, "
            f"of {sizes[0]} and {sizes[1]}."
        )
    errors = sum(row.outcome is Outcome.ERROR for done in sides for row in done.values())
    if errors:
        verb = "is" if errors == 1 else "are"
        notes.append(f"{counted(errors, 'episode')} ended in an error and {verb} left out.")
    if headline.bound_low is not None and headline.bound_high is not None:
        bounds = headline.bound_low, headline.bound_high
        low, high = (amount(bound, headline.kind, signed=True) for bound in bounds)
        notes.append(f"Whatever became of them, the difference is within {low} to {high}.")
    notes += [
        f"{one.metric} is compared on the {counted(one.n, 'episode')} where both runs have "
        f"{one.given}."
        for one in lines
        if one.given and one.paired
    ]
    for name in ("execution", "training_split"):
        first, second = (str(getattr(run, name)) for run in runs)
        if first != second:
            notes.append(f"{name.replace('_', ' ')} differs: {first} / {second}.")
    own = {name for run in runs for name in marks.of_run(run, "", 0)}
    return (*notes, *(f"{sentence}." for sentence in marks.legend(own)))
