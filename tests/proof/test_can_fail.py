"""The proof notices: one bit of a weight, one row, one column, one number."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

pytest.importorskip("transformers")

from tests.proof import cases, entry
from tests.proof.golden import WeakerProof, check, differences, plain, read, same_machine

ROWS = read("rows")["cases"]["toy expert"]["rows"]
KEY = next(iter(ROWS))


def told(expected, found, **how):
    return list(differences(expected, plain(found), **{"exact": True} | how))


def changed(name, value):
    rows = copy.deepcopy(ROWS)
    rows[KEY][name] = value
    return rows


def test_what_was_recorded_equals_itself():
    assert told(ROWS, copy.deepcopy(ROWS)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", ROWS[KEY]["steps"] + 1), ("outcome", "failure"), ("success_any", 1),
     ("instruction", "Carry the red puck"), ("query_steps", []), ("error", "crash"),
     ("measures", [["distance", 0.0]]), ("stages", ROWS[KEY]["stages"][::-1])],
)  # fmt: skip
def test_another_value_in_any_column_is_seen(name, value):
    (line, *_) = told(ROWS, changed(name, value))
    assert line.startswith(f"/{KEY}/{name}")


def test_a_column_under_another_name_is_seen():
    rows = copy.deepcopy(ROWS)
    rows[KEY]["queried_at"] = rows[KEY].pop("query_steps")
    assert told(ROWS, rows) == [f"/{KEY}: lacks query_steps", f"/{KEY}: new queried_at"]
    assert told(ROWS, rows, more=True) == [f"/{KEY}: lacks query_steps"]


def test_a_row_too_few_or_too_many_is_seen():
    rows = copy.deepcopy(ROWS)
    row = rows.pop(KEY)
    assert told(ROWS, rows) and told(rows, {**rows, "another": row})


def test_one_last_bit_of_an_action_is_seen():
    actions = np.linspace(0, 1, 700).reshape(100, 7)
    moved = actions.copy()
    moved[99, 6] = math.nextafter(1.0, 0.0)
    before = plain({"actions": actions})
    assert told(before, {"actions": moved}) == [
        line for line in told(before, {"actions": moved}) if "sha256" in line
    ]
    assert len(told(before, {"actions": moved})) == 1
    assert told(before, {"actions": moved}, exact=False) == []
    moved[0, 1] += 0.01
    assert len(told(before, {"actions": moved}, exact=False)) == 1  # also elsewhere


def test_numbers_and_words_are_not_confused():
    assert (
        told({"a": 1}, {"a": "1"}) and told({"a": 1}, {"a": True}) and told({"a": 0}, {"a": None})
    )
    assert told({"a": math.nan}, {"a": math.nan}) == []
    assert told({"a": 1.0}, {"a": 1.0 + 1e-12}) and not told(
        {"a": 1.0}, {"a": 1.0 + 1e-12}, exact=False
    )


def test_one_number_of_a_network_changes_loss_gradients_and_actions(tmp_path):
    import torch

    source, options = entry.tiny_backbone("paligemma-1", tmp_path)
    config = entry.vla_config("paligemma-1", str(source), options=options)
    with cases.one_thread():
        first, second = (entry.build(config, seed=1) for _ in range(2))
        with torch.no_grad():
            entry.query(second)[0] += 1e-5
        one, other = (plain(cases.learning(model, 80)) for model in (first, second))
    assert told(one, one) == []
    for part in ("/losses", "/gradients", "/actions"):
        assert any(line.startswith(part) for line in told(one, other)), part


def test_another_machine_is_said():
    with pytest.warns(WeakerProof, match=r"compared within 0\.0001.*torch: 0\.4"):
        assert not same_machine({"torch": "0.4"})


def test_check_fails_with_the_place():
    with pytest.raises(AssertionError, match=r"1 differences:\n/a/b: 1 at 0\.2\.0, 2 now"):
        check({"a": {"b": 1}}, {"a": {"b": 2}}, exact=True)
