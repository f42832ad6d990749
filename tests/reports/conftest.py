"""Stores as an engine leaves them, small enough to count by hand."""

from dataclasses import replace

import numpy as np
import pytest

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import ErrorKind
from vlm4vla.core.result import EpisodeResult, Metric, Outcome, Timing
from vlm4vla.reports.board.leaderboard import tables
from vlm4vla.reports.scores import Row
from vlm4vla.reports.tables.table import Exhibit
from vlm4vla.store import RunRecord, RunStatus, Store

EMOJI = (
    Metric(name="overall", kind="rate", of="success", headline=True),
    Metric(name="execution", kind="rate", of="executed"),
    Metric(name="recognition", kind="rate", of="recognised", given="executed", chance=1 / 3),
    Metric(name="success_paper", kind="rate", of="success_paper"),
)
FACTS = {"simulator": "grinningface", "renderer": "lavapipe 25.0", "sapien": "3.0.3"}


def exhibit(board, **options):
    """A board as its tables show it, for every writer."""
    return Exhibit(tuple(tables(board, **options)), board.rows, Row, warnings=board.warnings)


def emoji_run(policy="expert", episodes=24, code="0a1b2c3d", **changes):
    settings = {
        "id": f"grinningface_val-{policy.rpartition(':')[2]}-{code}",
        "policy": policy,
        "suite": "grinningface_val",
        "simulator": "grinningface",
        "plan": tuple(EpisodeKey("grinningface_val", "place", i) for i in range(episodes)),
        "metrics": EMOJI,
        "privileged": policy.startswith("expert"),
        "options": {"robot": "panda"},
        "comparability": FACTS,
        "provenance": {
            "command": f"bench run --policy {policy} --suite grinningface_val --episodes 24",
            "commit": "0123456789ab",
            "host": "here",
            "packages": {"numpy": "2.1"},
        },
    }
    return RunRecord(**(settings | changes))


def emoji_result(key, executed, recognised, **changes):
    success = bool(executed and recognised)
    result = EpisodeResult(
        key=key,
        outcome=Outcome.SUCCESS if success else Outcome.FAILURE,
        instruction="Pick the cube and place it on grinning face",
        success_any=success,
        success_last=success,
        stages={"reached": True, "grasped": True, "lifted": bool(executed), "over": bool(executed)},
        measures={
            "executed": float(executed),
            "recognised": float(recognised) if executed else None,
            "success_paper": float(success),
        },
        steps=120 + key.init,
        query_steps=tuple(range(0, 120, 10)),
        renders=12,
        timing=Timing(0.5, 1.5, 2.0, 0.25),
        actions=np.zeros((3, 7)),
    )
    return replace(result, **changes)


def quarantined(key, kind=ErrorKind.HANG, text="no progress for 120 s\nlast call: render"):
    return EpisodeResult(key, Outcome.ERROR, error=kind, error_text=text, attempt=3)


def fill(store, run, executed, recognised, errors=0, last=None):
    """The first episodes executed, the first of these recognised, the last ones quarantined."""
    store.begin(run)
    keys = run.plan[:last]
    for i, key in enumerate(keys):
        if i >= len(keys) - errors:
            store.fault(run.id, replace(quarantined(key), attempt=1))
            store.fault(run.id, replace(quarantined(key), attempt=2))
            store.record(run.id, quarantined(key))
        else:
            store.record(run.id, emoji_result(key, i < executed, i < recognised))
    store.set_status(run.id, RunStatus.COMPLETE)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "bench.db", create=True) as opened:
        yield opened


@pytest.fixture
def emoji(store):
    """Four runs: perfect, executing but guessing, one with errors, and an incomplete one."""
    fill(store, emoji_run("expert", code="0a1b2c3d"), 24, 24)
    fill(store, emoji_run("expert-blind", code="1a1b2c3d"), 24, 8)
    fill(store, emoji_run("random", code="2a1b2c3d"), 0, 0)
    fill(store, emoji_run("my_policy:Mine", code="3a1b2c3d"), 12, 6, errors=4)
    fill(store, emoji_run("replay", code="4a1b2c3d"), 6, 3, last=12)
    return store


MARKED = {
    "privileged": {"policy": "expert"},
    "best of many": {"provenance": {"selected_from": 7}},
    "stand-in assets": {"comparability": {**FACTS, "stand_in.robot": "panda for widowx"}},
    "other comparability": {"comparability": {**FACTS, "renderer": "another"}},
    "decided": {"last": 8, "status": RunStatus.DECIDED},
    "incomplete": {"last": 8},
    "errors": {"errors": 3},
}
"""Mark -> what makes a run bear it."""


@pytest.fixture
def marked(store):
    """A store with a run for every mark."""
    return fill_marked(store)


def fill_marked(store):
    """The best run bears no mark; every other run bears the one it is named after."""
    fill(store, emoji_run("plain", code="00000000"), 24, 24)
    for number, (name, changes) in enumerate(MARKED.items(), 1):
        told = dict(changes)
        errors, last, status = (told.pop(n, d) for n, d in
                                (("errors", 0), ("last", None), ("status", None)))  # fmt: skip
        policy = told.pop("policy", name.replace(" ", "-"))
        run = emoji_run(policy, code=f"{number:08x}", **told)
        fill(store, run, 8, 4, errors=errors, last=last)
        if status:
            store.set_status(run.id, status)
    return store
