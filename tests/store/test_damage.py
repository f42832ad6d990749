"""A damaged field is a typed error that names it, and taking the row out mends the store."""

import json
import re
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.conftest import make_run
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import ErrorKind, StoreError
from vlm4vla.core.result import EpisodeResult, Outcome, Timing
from vlm4vla.store import Store
from vlm4vla.store.encode import _ENCODED
from vlm4vla.store.library import ImportedResult, Score, Source
from vlm4vla.store.schema import metadata

KEY = EpisodeKey("toy", "reach", 0)
ENCODED = sorted((column.table.name, column.name) for column in _ENCODED)
TABLES = ("runs", "episodes", "traces", "drawn_states", "faults", "sources")
COLUMNS = [
    (table.name, column.name)
    for table in (metadata.tables[n] for n in TABLES)
    for column in table.columns
    if not column.primary_key
    and not column.foreign_keys
    # Whatever stands in a flag is one of two; a time or an order is only shown.
    and str(column.type) != "BOOLEAN"
]


def make_store(path):
    """One row in each table."""
    with Store.open(path, create=True) as store:
        store.begin(make_run())
        result = EpisodeResult(
            KEY, Outcome.SUCCESS, stages={"a": True}, measures={"m": 1.5, "n": None},
            timing=Timing(1.0, 2.0, 3.0, 4.0), actions=[[0.5, 1.5]] * 3, query_steps=(0, 2),
            steps=3, drawn=np.ones(3),
        )  # fmt: skip
        store.record("run-1", result)
        store.fault("run-1", EpisodeResult(KEY, Outcome.ERROR, error=ErrorKind.HANG))
        results = [ImportedResult("p", "toy", "all", "success", "rate", 0.5, 2, 1)]
        scores = [Score("m", "b", "vqa", "accuracy", 0.5)]
        store.library.add(Source("s", "imported", "csv", "a.csv", "0"), results, scores)


def read_everything(path):
    with Store.open(path) as store:
        for run in store.runs():
            store.run(run.id)
            store.finished(run.id)
            store.faults(run.id)
            for row in store.episodes(run.id):
                store.trace(run.id, row.key)
        library = store.library
        return library.sources(), library.results(), library.scores()


def damage(path, table, column, value):
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("PRAGMA ignore_check_constraints=ON")
        raw.execute(f"UPDATE {table} SET {column} = ?", (value,))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "bench.db"
    make_store(path)
    read_everything(path)
    return path.read_bytes()


def test_every_encoded_column_is_among_the_tested():
    assert len(ENCODED) >= 16 and set(ENCODED) <= set(COLUMNS)


JUNK = ("", "nonsense", "{", '{"a": [', "[1, 2]", "{}", "7", "null", b"", b"\xff\xfe", b"x\x9c")


@pytest.mark.parametrize(("table", "column"), ENCODED)
def test_junk_in_an_encoded_column_is_named(table, column, whole, tmp_path):
    path, refused = tmp_path / "bench.db", 0
    for value in JUNK:
        path.write_bytes(whole)
        damage(path, table, column, value)
        try:
            read_everything(path)
        except StoreError as error:
            refused += 1
            assert f"{column} of {table} " in error.message and "damaged" in error.message
            assert f"DELETE FROM {table} WHERE" in error.fix
    assert refused >= 6


@pytest.mark.parametrize(("table", "column"), COLUMNS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.binary(max_size=60) | st.text(max_size=30) | st.integers(-(2**40), 2**40))
def test_no_value_at_all_is_a_traceback(table, column, value, whole, tmp_path):
    path = tmp_path / "bench.db"
    path.write_bytes(whole)
    damage(path, table, column, value)
    try:
        read_everything(path)
    except StoreError as error:
        assert error.fix


@pytest.mark.parametrize(
    ("table", "column"),
    [("runs", "plan"), ("traces", "actions"), ("traces", "query_steps"), ("drawn_states", "drawn")],
)
def test_a_truncated_blob_is_named_at_every_length(table, column, whole, tmp_path):
    path = tmp_path / "bench.db"
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as raw:
        (blob,) = raw.execute(f"SELECT {column} FROM {table}").fetchone()
    for length in range(len(blob)):
        damage(path, table, column, blob[:length])
        with pytest.raises(StoreError, match=f"{column} of {table} "):
            read_everything(path)
    damage(path, table, column, zlib.compress(zlib.decompress(blob)[:-1]))
    with pytest.raises(StoreError, match=f"{column} of {table} "):
        read_everything(path)


def test_the_sentence_names_run_episode_and_column_and_its_remedy_works(whole, tmp_path):
    path = tmp_path / "bench.db"
    path.write_bytes(whole)
    damage(path, "episodes", "stages", '{"a": tru')
    with Store.open(path) as store, pytest.raises(StoreError) as caught:
        store.episodes("run-1")
    assert "stages of episodes id 1 (run run-1, suite toy, task reach, init 0)" in str(caught.value)
    assert "JSONDecodeError" in str(caught.value)
    remedy = re.search(r'sqlite3 (\S+) "(.*)"', caught.value.fix)
    assert remedy[1] == str(path)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.executescript(remedy[2])
    with Store.open(path, create=True) as store:
        assert store.episodes("run-1") == [] and store.finished("run-1") == {}
        assert store.record("run-1", EpisodeResult(KEY, Outcome.FAILURE))


@pytest.mark.parametrize("column", ["options", "provenance", "continued", "plan", "metrics"])
def test_a_damaged_run_is_neither_continued_nor_decided(column, whole, tmp_path):
    path = tmp_path / "bench.db"
    path.write_bytes(whole)
    damage(path, "runs", column, "{")
    with Store.open(path, create=True) as store:
        with pytest.raises(StoreError, match=f"{column} of runs id run-1"):
            store.begin(make_run())
        with pytest.raises(StoreError, match=f"{column} of runs id run-1"):
            store.decide("run-1", {"rule": "step"})


def test_the_command_says_it_without_a_traceback(whole, tmp_path):
    path = tmp_path / "bench.db"
    path.write_bytes(whole)
    damage(path, "runs", "status", "finished")
    done = subprocess.run(
        [sys.executable, "-m", "vlm4vla.cli", "list", "runs", "--store", str(path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "status of runs" in " ".join(done.stderr.split())


def test_text_that_is_no_text_is_named(whole, tmp_path):
    path = tmp_path / "bench.db"
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE runs SET policy = CAST(x'ff41' AS TEXT)")
    with pytest.raises(StoreError, match=r"damaged[\s\S]*column 'policy'[\s\S]*\.recover"):
        read_everything(path)


def test_values_of_other_kinds_within_json_are_named(whole, tmp_path):
    path = tmp_path / "bench.db"
    for table, column, value in (
        ("episodes", "stages", {"a": "yes"}),
        ("episodes", "measures", {"m": "1.5"}),
        ("runs", "continued", [1]),
        ("runs", "success_rule", "sometimes"),
    ):
        path.write_bytes(whole)
        damage(path, table, column, value if isinstance(value, str) else json.dumps(value))
        with pytest.raises(StoreError, match=f"{column} of {table}"):
            read_everything(path)


SUCCESS = {"name": "success", "kind": "rate", "of": "success"}


@pytest.mark.parametrize(
    "value",
    ["{}", "[]", json.dumps(SUCCESS), '[{"name": "success"}]', json.dumps([SUCCESS | {"more": 1}])],
)
def test_metrics_that_are_no_list_of_some_are_named(value, whole, tmp_path):
    path = tmp_path / "bench.db"
    path.write_bytes(whole)
    damage(path, "runs", "metrics", value)
    with pytest.raises(StoreError, match="metrics of runs id run-1"):
        read_everything(path)
