"""A small version of analysis/coverage.py, and the document that its tables stand in."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def coverage():
    import sys

    spec = importlib.util.spec_from_file_location("coverage_tables", ROOT / "analysis/coverage.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["coverage_tables"] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["coverage_tables"]


def test_intervals_of_one_rate_hold_what_they_promise(coverage):
    for line in coverage.rates():
        if line.what == "Clopper-Pearson":
            assert line.worst >= 95.0, line
        else:
            assert abs(line.value - 95.0) <= 1.5, line


@pytest.mark.parametrize("table", ["stratified", "differences", "products"])
def test_simulated_coverage_is_at_least_near_its_level(coverage, table):
    lines = list(getattr(coverage, table)(0.1))
    assert len(lines) >= 3
    for line in lines:
        assert line.value + 3 * line.error >= 95.0 - 1.5, line


def test_rules_keep_their_level_and_peeking_without_one_does_not(coverage):
    rng = np.random.default_rng(0)
    log_e, p = coverage.paths(rng, 0.2, 0.2, 500, 1000)
    assert np.mean((log_e >= np.log(20)).any(axis=1)) <= 0.05
    assert np.mean((p <= 0.05).any(axis=1)) > 0.15


def test_the_document_holds_the_tables(coverage):
    """The enumerated ones, which do not depend on how often one draws, digit for digit."""
    text = (ROOT / "docs" / "statistics.md").read_text()
    for title in coverage.COVERAGE:
        assert f"| {title} | case |" in text
    assert coverage._coverage("One rate (enumerated)", list(coverage.rates())) in text
