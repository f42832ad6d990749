import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlm4vla.core.errors import InvalidFile
from vlm4vla.core.formats import FIELD, FileFormat, refuse_unknown


def rename(content):
    content["rate_hz"] = content.pop("fps", 10)
    return content


def to_milliseconds(content):
    return {**content, "rate_hz": None, "period_ms": 1000 / content["rate_hz"]}


FIRST = FileFormat("clock file")
THIRD = FileFormat("clock file", (rename, to_milliseconds))


def test_an_absent_number_is_the_first_format():
    assert THIRD.upgraded({"fps": 20}, "a.json") == THIRD.upgraded({"fps": 20, FIELD: 1}, "a.json")
    assert THIRD.upgraded({"fps": 20}, "a.json")["period_ms"] == 50


def test_steps_are_taken_from_the_number_on():
    assert THIRD.upgraded({FIELD: 2, "rate_hz": 4}, "a.json")["period_ms"] == 250
    today = {"rate_hz": None, "period_ms": 3.0}
    assert THIRD.upgraded({FIELD: 3, **today}, "a.json") == today


@pytest.mark.parametrize("number", [0, -1, 4, 99, "2", 2.0, None, True, [1]])
def test_an_unknown_number_is_refused_by_name(number):
    with pytest.raises(InvalidFile) as caught:
        THIRD.upgraded({FIELD: number}, "a.json")
    message = caught.value.message
    assert message.startswith(f"a.json is a clock file of format {number!r}; ")
    assert "formats 1 to 3" in message and caught.value.fix
    with pytest.raises(InvalidFile, match="reads format 1"):
        FIRST.upgraded({FIELD: 2}, "a.json")


@pytest.mark.parametrize("content", [None, [], "format: 1", 3])
def test_what_has_no_fields_is_refused(content):
    with pytest.raises(InvalidFile, match=r"a\.json is no clock file"):
        THIRD.upgraded(content, "a.json")


fields = st.dictionaries(st.text(max_size=4).filter(lambda name: name != FIELD), st.integers())


@given(fields)
def test_what_is_written_today_comes_back(content):
    assert THIRD.upgraded(THIRD.numbered(content), "a.json") == content
    assert THIRD.numbered(content)[FIELD] == 3


def test_what_was_read_is_left_alone():
    content = {"fps": 20, "deep": {"list": [1]}}
    upgraded = FileFormat("clock file", (lambda c: c["deep"]["list"].append(2) or c,)).upgraded
    assert upgraded(content, "a.json")["deep"] == {"list": [1, 2]}
    assert content == {"fps": 20, "deep": {"list": [1]}}


def test_an_unknown_field_is_refused_with_the_nearest():
    refuse_unknown({"frame": 1}, {"frame", "units"}, "a.json")
    with pytest.raises(InvalidFile, match=r"a\.json: there is no field 'fram'. Did you mean frame"):
        refuse_unknown({"fram": 1}, {"frame", "units"}, "a.json")
    with pytest.raises(InvalidFile, match="Known: frame, units"):
        refuse_unknown({"zzz": 1}, {"frame", "units"}, "a.json")
