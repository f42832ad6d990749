"""Rows of toy, emoji and CALVIN runs are what they were, column by column, actions included."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")

from tests.proof import cases
from tests.proof.golden import check, read, same_machine

pytestmark = pytest.mark.usefixtures("ray_session")

RECORDED = read("rows")
MARKS = {
    "toy": (),
    "grinningface": (pytest.mark.grinningface,),
    "calvin": (pytest.mark.calvin, pytest.mark.assets),
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=MARKS[case.simulator]) for case in cases.CASES],
)
def test_rows_are_what_they_were(case, checkpoints, tmp_path):
    expected = RECORDED["cases"][case.name]
    found = cases.roll_out(case, checkpoints, tmp_path / "bench.db")
    here, there = (facts["run"]["comparability"] for facts in (found, expected))
    machine = RECORDED["machine"] | {n: there[n] for n in cases.SOFTWARE if n in there}
    exact = same_machine(machine, {n: here.get(n) for n in cases.SOFTWARE})
    for name in () if exact else cases.SOFTWARE:
        assert (name in here) == (name in there)
        here.pop(name, None)
        there.pop(name, None)
    if case.checkpoint:  # its digest is test_files' affair
        del expected["run"]["checkpoint"], found["run"]["checkpoint"]
    check(expected["run"], found["run"], exact=exact)
    if case.checkpoint and not exact:
        # One last bit may, over an episode, become another outcome: only the first actions are held
        # against each other.
        for rows in (expected["rows"], found["rows"]):
            for row in rows.values():
                row["actions"] = row["actions"]["head"][:14]
                for name in ("outcome", "steps", "queries", "renders", "query_steps", "stages",
                             "measures", "success_any", "success_last"):  # fmt: skip
                    del row[name]
    check(expected["rows"], found["rows"], exact=exact)


def test_no_case_was_left_out():
    assert list(RECORDED["cases"]) == [case.name for case in cases.CASES]


def test_the_rows_were_worth_comparing():
    """The learned policies look, read and move; somebody succeeds, somebody fails, one breaks."""
    everything = {name: list(case["rows"].values()) for name, case in RECORDED["cases"].items()}
    for name, rows in everything.items():
        if name.endswith(("learned", "lora", "ensemble")):
            assert len({row["actions"]["sha256"] for row in rows}) == len(rows)
            assert all(row["renders"] == row["queries"] > 1 for row in rows), name
            for row in rows:
                first, later = row["actions"]["head"][:3], row["actions"]["head"][63:66]
                assert first != later, "the same actions all along"
    outcomes = {row["outcome"] for rows in everything.values() for row in rows}
    assert outcomes == {"success", "failure", "error"}
    chains = everything["calvin_debug expert"]
    assert max(row["measures"][0][1] for row in chains) >= 1
