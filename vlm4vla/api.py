"""`from vlm4vla import run`: the verb as a function."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from vlm4vla.core.errors import UnknownName
from vlm4vla.runs.execute import Observer, execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store

if TYPE_CHECKING:
    import pandas as pd


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
        store: results file; by default `VLM4VLA_STORE` or ./results/bench.db.
        observer: called with every event of the run, e.g. to show progress.
        settings: any other field of `RunRequest` (tasks, inits, episodes, seed, slots, ...); one
            task or init may stand alone.

    Returns:
        One row per stored episode of the run, with the facts of the run.

    Raises:
        BadInput: in one of its forms, before anything has been started.
    """
    from vlm4vla.store.export import frame

    known = {field.name for field in fields(RunRequest)} - {"policy", "suite"}
    for name in settings:
        if name not in known:
            raise UnknownName("setting of run", name, known)
    for name, kind in (("tasks", str), ("inits", int)):
        if isinstance(settings.get(name), kind):
            settings[name] = (settings[name],)
    plan = resolve(RunRequest(policy, suite, **settings))  # type: ignore[arg-type]
    with Store.open(store, create=True) as opened:
        summary = execute(plan, opened, observer or _ignore)
        return frame(opened, [opened.run(summary.run)])


def _ignore(event: object) -> None:
    """Nobody watches."""
