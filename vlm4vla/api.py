"""The verbs as functions: `from vlm4vla import run, leaderboard`. All but one give a data frame.

`store` is an open store, its file or URL; by default `VLM4VLA_STORE` or ./results/bench.db. One
that cannot be read is a StoreError. Every other mistake is a BadInput in one of its forms, e.g.
UnknownName, before anything has been started.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from vlm4vla.core.errors import BadInput, UnknownName
from vlm4vla.reports.board.leaderboard import leaderboard_exhibit
from vlm4vla.reports.compare.comparison import comparison
from vlm4vla.reports.compare.contrast import Terms
from vlm4vla.reports.correlation.correlation import correlations
from vlm4vla.reports.correlation.vqa import file_rows
from vlm4vla.reports.tables.registry import opened
from vlm4vla.reports.tables.selection import Selection
from vlm4vla.runs.question import PowerQuestion
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store, Where, reading

if TYPE_CHECKING:  # what runs policies, and what draws, is not needed to read a store
    from vlm4vla.reports.page import Sheet
    from vlm4vla.runs.execute import Observer


def run(
    policy: str,
    suite: str,
    *,
    store: str | Path | None = None,
    observer: Observer | None = None,
    **settings: object,
) -> pd.DataFrame:
    """Roll `policy` out over `suite`; the same call continues where it was stopped.

    Args:
        policy: a registered name or `module:Class`.
        suite: a shipped suite's name or a YAML file.
        store: results file.
        observer: called with every event of the run, e.g. to show progress.
        settings: any other field of `RunRequest` (tasks, inits, episodes, seed, slots, ...); one
            task or init may stand alone.

    Returns:
        One row per stored episode of the run, with the facts of the run.
    """
    from vlm4vla.runs.execute import execute
    from vlm4vla.runs.plan import resolve
    from vlm4vla.store.export import frame

    _known("setting of run", settings, RunRequest, "policy", "suite")
    for name, kind in (("tasks", str), ("inits", int)):
        if isinstance(settings.get(name), kind):
            settings[name] = (settings[name],)
    plan = resolve(RunRequest(policy, suite, **settings))  # type: ignore[arg-type]
    with Store.open(store, create=True) as opened:
        summary = execute(plan, opened, observer or _ignore)
        return frame(opened, [opened.run(summary.run)])


def leaderboard(
    store: Where = None,
    suite: str | Collection[str] | None = None,
    policy: str | Collection[str] | None = None,
    all_runs: bool = False,
    published: bool = False,
    imported: bool = False,
) -> pd.DataFrame:
    """One row per run, task (or `all`) and metric, of these suites and policies or of all.

    Args:
        store: where the runs are.
        suite: only this suite, or these.
        policy: only this policy, or these.
        all_runs: every run, not only the fullest of each policy, suite, comparability, execution.
        published: set the papers' rows beside ours; the columns are those of `BesideRow`.
        imported: set imported results beside ours, likewise.
    """
    suites, policies = _names(suite), _names(policy)
    asked = Selection(suites, policies, False, all_runs, published, imported=imported)
    with opened(store, asked) as read:
        shown = leaderboard_exhibit(read, asked)
    assert shown.record is not None
    names = [field.name for field in fields(shown.record)]
    return pd.DataFrame([asdict(row) for row in shown.records or ()], columns=names)  # type: ignore[call-overload]


def compare(
    first: str,
    second: str,
    *,
    store: Where = None,
    suite: str | None = None,
    **terms: float | bool | str | None,
) -> pd.DataFrame:
    """Compare two stored runs: a row for each metric, the headline first.

    Args:
        first: id of a run (or its beginning or end), or a policy: then its fullest run.
        second: as `first`.
        store: where the runs are.
        suite: where policies are named and have runs of several suites.
        terms: any field of `Terms` (metric, margin, alpha, unpaired, allow_different, ...).

    Returns:
        The fields of `Contrast`, with `first_run`, `second_run`; `attrs` holds `verdict` and
        `notes`.
    """
    _known("term of a comparison", terms, Terms)
    with reading(store) as opened:
        found = comparison(opened, first, second, suite, Terms(**terms))  # type: ignore[arg-type]
    runs = {"first_run": found.first.run, "second_run": found.second.run}
    table = pd.DataFrame([runs | asdict(line) for line in (*found.contrasts, *found.by_task)])
    table.attrs = {"verdict": found.verdict, "notes": list(found.remarks)}
    return table


def correlate(
    vqa: str | Sequence[str] = (),
    suite: str | Sequence[str] | None = None,
    *,
    scores: str | Path | None = None,
    published: bool = False,
    store: Where = None,
    backbones: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Correlate scores of backbones on benchmarks with those of their policies on suites.

    Args:
        vqa: one benchmark or several; by default all of `scores`.
        scores: a file of scores, e.g. a CSV with a column per benchmark, in place of the store's.
        suite: one or several; by default the three of VLM4VLA, or all in the store.
        published: take the policies' scores from VLM4VLA's tables instead of the store.
        store: where the runs are, and scores of ours.
        backbones: policy -> backbone, where the policy's name does not tell.

    Returns:
        One row per suite and benchmark, with the fields of `Correlation`; `attrs["scores"]` says
        what was guessed of the file.
    """
    if not vqa and scores is None:
        raise BadInput("No benchmark was named.", "Give `scores`, a file, or `vqa`, a name.")
    rows, guessed = file_rows(Path(scores)) if scores is not None else (None, "")
    with opened(store, Selection(published=published)) as read:
        found = correlations(_names(vqa), _names(suite), published, read, backbones, rows)
    table = pd.DataFrame([asdict(one) for one in found])
    table.attrs["scores"] = guessed
    return table


def plan(suite: str | None = None, **question: float | bool | str | None) -> pd.DataFrame:
    """How many episodes a precision or a difference needs, before any are run.

    Args:
        suite: whose headline decides between a rate and a mean.
        question: any other field of `PowerQuestion` (precision, difference, rate, mean, ...), in
            per cent and points as in `bench plan`.

    Returns:
        One row per goal and design: goal, design, episodes of each policy, note.
    """
    _known("part of a question", question, PowerQuestion, "suite")
    _, answers, _ = PowerQuestion(suite, **question).answer()  # type: ignore[arg-type]
    return pd.DataFrame([asdict(need) for need in answers])


def report(
    out: str | Path = "results/report.html",
    store: Where = None,
    *,
    suite: str | Collection[str] = (),
    policy: str | Collection[str] = (),
    all_runs: bool = False,
    sheets: Mapping[str, str | Path] | Sequence[Sheet] = (),
    vqa: str | Sequence[str] = (),
    others: bool = False,
) -> Path:
    """Write the page of a store, as `bench report` does, and return its file.

    Args:
        out: the file; its folder is made.
        store: where the runs are.
        suite: only this suite, or these.
        policy: only this policy, or these.
        all_runs: every run, not only the fullest of its kind.
        sheets: title -> picture, embedded; or with the suite that each belongs to.
        vqa: benchmarks to correlate the policies' scores with.
        others: add what papers print and what was imported; correlate the papers' policies.
    """
    from vlm4vla.reports.page import Sheet, collect, write_page

    if isinstance(sheets, Mapping):
        sheets = [Sheet(title, Path(path)) for title, path in sheets.items()]
    asked = Selection(_names(suite), _names(policy), all_runs=all_runs, published=others)
    with reading(store) as opened:
        content = collect(opened, asked, _names(vqa))
    return write_page(content, Path(out), sheets)


def _names(given: str | Collection[str] | None) -> tuple[str, ...]:
    """One, several or none."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def _known(what: str, given: Iterable[str], kind: type, *named: str) -> None:
    """Raise UnknownName for a keyword that is no field of the class, or has a name of its own."""
    UnknownName.check(what, given, {field.name for field in fields(kind)} - {*named})


def _ignore(event: object) -> None:
    """Nobody watches."""
