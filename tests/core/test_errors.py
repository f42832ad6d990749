"""Errors say what happened and what to type."""

from __future__ import annotations

import pickle

import pytest

from vlm4vla.core.errors import BadInput, BenchError, UnknownName

SUITES = ["grinningface_id", "grinningface_val", "toy"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("grinningface_vl", "grinningface_val"), ("toys", "toy"), ("grinning_face_id", "face_id")],
)
def test_near_names_are_offered(typed, offered):
    error = UnknownName("suite", typed, SUITES)
    assert f"'{typed}'" in error.message
    assert "Did you mean" in error.message and offered in error.message


def test_without_a_near_name_a_short_list_is_given_whole():
    assert (
        "Known: grinningface_id, grinningface_val, toy."
        in UnknownName("suite", "?", SUITES).message
    )


def test_a_long_list_without_a_near_name_is_not_printed():
    message = UnknownName("emoji", "zzz", [f"emoji {i}" for i in range(100)]).message
    assert message == "There is no emoji named 'zzz'."


def test_the_fix_stands_apart():
    error = BadInput("It is wrong.", "Type this.")
    assert isinstance(error, BenchError)
    assert (error.message, error.fix) == ("It is wrong.", "Type this.")
    assert str(error) == "It is wrong.\nType this."
    assert str(BadInput("It is wrong.")) == "It is wrong."


def test_errors_travel_between_processes():
    for error in (UnknownName("suite", "toyy", SUITES, "See."), BadInput("It is wrong.")):
        arrived = pickle.loads(pickle.dumps(error))
        assert type(arrived) is type(error)
        assert (str(arrived), arrived.fix, arrived.args) == (str(error), error.fix, error.args)
