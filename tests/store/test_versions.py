"""Stores of every version open afterwards, with the numbers that their own vlm4vla read."""

import json
import lzma
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.engine import Engine

from tests.store.conftest import make_run
from tests.store.test_refusals import ROOT, fill, mounted, refusal
from tests.store.told import told
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import StoreError
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.store import Store
from vlm4vla.store.library import Source
from vlm4vla.store.schema import VERSION

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = sorted(path.name.split(".")[0] for path in FIXTURES.glob("v*.sqlite.xz"))
OLD = VERSIONS[:-1]


def unpacked(version, folder):
    """The fixture as a file that nothing has opened yet."""
    path = folder / "bench.db"
    path.write_bytes(lzma.decompress((FIXTURES / f"{version}.sqlite.xz").read_bytes()))
    return path


def written(version):
    """What the vlm4vla that made the fixture read from it."""
    return json.loads(lzma.decompress((FIXTURES / f"{version}.json.xz").read_bytes()))


def without_asked(content):
    """Version 1 did not tell when the policy was asked."""
    for run in content["runs"].values():
        for trace in run["traces"]:
            trace.pop("asked", None)
    return content


def check_numbers(version, path):
    before, now = written(version), told(path)
    if version == "v1":
        now = without_asked(now)
    assert now == before


def names(folder):
    """What lies there, without the journal that a process may leave for the next one to fold in."""
    journal = ("-wal", "-shm")
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(journal))


def mark_of(path):
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("SELECT version_num FROM alembic_version").fetchall()


def test_there_is_a_fixture_of_every_version():
    assert VERSIONS == [f"v{number}" for number in range(1, int(VERSION) + 1)]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_read_with_its_own_numbers_and_left_alone(version, tmp_path):
    path = unpacked(version, tmp_path)
    before = path.read_bytes()
    content = written(version)
    assert sum(len(run["episodes"]) for run in content["runs"].values()) >= 16
    assert any(run["faults"] for run in content["runs"].values()) and content["results"]
    check_numbers(version, path)
    assert path.read_bytes() == before and names(tmp_path) == ["bench.db"]


@pytest.mark.parametrize("version", OLD)
def test_it_is_upgraded_when_it_is_to_be_written(version, tmp_path, caplog):
    path = unpacked(version, tmp_path)
    with Store.open(path, create=True) as store:
        kept = f"bench-{version}.db"
        assert [record.getMessage() for record in caplog.records] == [
            f"The store {path} was upgraded from version {version[1:]} to {int(VERSION)}; "
            f"as it was it is kept in {tmp_path / kept}."
        ]
        key = EpisodeKey("toy", "reach", 0)
        store.begin(make_run("added"))
        assert store.record("added", EpisodeResult(key, Outcome.SUCCESS))
        assert store.library.add(Source("s", "imported", "csv", "a.csv", "0"))
        assert len(store.library.sources()) == len(written(version)["sources"]) + 1
    assert mark_of(path) == [(VERSION,)]
    assert names(tmp_path) == [kept, "bench.db"]
    check_numbers(version, tmp_path / kept)
    for again in (False, True):
        Store.open(path, create=again).close()
    assert len(caplog.records) == 1 and names(tmp_path) == [kept, "bench.db"]
    now, before = told(path), written(version)
    del now["runs"]["added"]
    if version == "v1":
        now = without_asked(now)
    assert now["runs"] == before["runs"] and now["results"] == before["results"]


@pytest.mark.parametrize("version", OLD)
def test_the_upgraded_tables_are_those_of_a_new_store(version, tmp_path):
    path = unpacked(version, tmp_path)
    Store.open(path, create=True).close()
    Store.open(tmp_path / "new.db", create=True).close()
    assert layout(path) == layout(tmp_path / "new.db")
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []


def layout(path):
    engine = create_engine(f"sqlite:///{path}")
    inspector = inspect(engine)
    found = {
        table: (
            [{**column, "type": str(column["type"])} for column in inspector.get_columns(table)],
            inspector.get_pk_constraint(table),
            inspector.get_foreign_keys(table),
            inspector.get_indexes(table),
            inspector.get_unique_constraints(table),
        )
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return found


def test_version_1_is_replayed_as_it_was(tmp_path):
    """It took queries to be evenly spaced: those steps are now written down."""
    with Store.open(unpacked("v1", tmp_path)) as store:
        asked = {}
        for run in store.runs():
            row = store.episodes(run.id)[-1]
            asked[run.policy] = store.trace(run.id, row.key).query_steps, row.steps
    assert asked["random"] == ((0, 8, 16, 24, 32, 40, 48, 56), 60)
    assert asked["expert"][0] == tuple(range(asked["expert"][1]))


@pytest.mark.parametrize("version", OLD)
def test_what_is_opened_to_be_read_takes_nothing(version, tmp_path):
    path = unpacked(version, tmp_path)
    with (
        Store.open(path) as store,
        pytest.raises(StoreError, match=r"older version's[\s\S]*upgrade it"),
    ):
        store.begin(make_run())


@pytest.mark.skipif(not ROOT, reason="mounting needs root")
@pytest.mark.parametrize("version", OLD)
def test_it_is_read_on_a_read_only_medium(version, tmp_path):
    with mounted("tmpfs", tmp_path / "medium", "-o", "size=32m") as medium:
        path = unpacked(version, medium)
        subprocess.run(["mount", "-o", "remount,ro", str(medium)], check=True)
        check_numbers(version, path)
        assert "read-only" in refusal(path, create=True)
        assert names(medium) == ["bench.db"]


@pytest.mark.skipif(not ROOT, reason="mounting needs root")
def test_a_disk_without_room_for_the_copy_leaves_it_as_it_was(tmp_path):
    with mounted("tmpfs", tmp_path / "disk", "-o", "size=20m") as disk:
        path = unpacked("v1", disk)
        fill(disk)
        os.truncate(disk / "ballast", (disk / "ballast").stat().st_size - 30_000)
        import vlm4vla.store.files as files

        before, files.LEAST_FREE_BYTES = files.LEAST_FREE_BYTES, 0
        try:
            assert "is full" in refusal(path, create=True)
        finally:
            files.LEAST_FREE_BYTES = before
        assert not {"bench-v1.db", "bench.db.part"} & set(names(disk))
        (disk / "ballast").unlink()
        check_numbers("v1", path)


@pytest.mark.parametrize("version", OLD)
def test_videos_move_with_an_upgraded_store(version, tmp_path):
    (tmp_path / "a").mkdir()
    path = unpacked(version, tmp_path / "a")
    with closing(sqlite3.connect(path)) as raw, raw:
        old = f"/tmp/store/{version}/"
        raw.execute("UPDATE episodes SET video = replace(video, ?, ?)", (old, f"{tmp_path / 'a'}/"))
    with Store.open(path, create=True) as store:
        run = next(run.id for run in store.runs() if run.policy == "random")
        films = [row.video for row in store.episodes(run)]
        assert films == [f"{store.videos(run)}/{r.key.task}-{r.key.init}-0.mp4"
                         for r in store.episodes(run)]  # fmt: skip
        elsewhere = next(run.id for run in store.runs() if run.policy == "expert")
        assert {row.video for row in store.episodes(elsewhere)} == {""}
    (tmp_path / "a").rename(tmp_path / "b")
    with Store.open(tmp_path / "b" / "bench.db") as store:
        assert [Path(row.video).parent for row in store.episodes(run)] == [store.videos(run)] * 8


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("mark", ["0006", "1f2e3d", ""])
def test_a_newer_version_is_refused_by_name_and_left_alone(mark, create, tmp_path):
    path = unpacked(VERSIONS[-1], tmp_path)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = ?", (mark,))
        raw.execute("UPDATE meta SET value = '7.0' WHERE name = 'harness'")
    before = path.read_bytes()
    text = refusal(path, create)
    assert "7.0 with tables of version" in text and "pip install vlm4vla==7.0" in text
    assert (mark.lstrip("0") or "?") in text
    assert path.read_bytes() == before and names(tmp_path) == ["bench.db"]


@pytest.mark.parametrize("mark", ["99", "0", "", "two"])
def test_an_unknown_number_from_before_alembic_is_refused(mark, tmp_path):
    path = unpacked("v2", tmp_path)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (mark,))
    assert "another version of vlm4vla: 0.2.0" in refusal(path, create=True)
    assert names(tmp_path) == ["bench.db"]


OPEN = (
    "import sys\n"
    "from vlm4vla.store import Store\n"
    "print('ready', flush=True)\n"
    "sys.stdin.readline()\n"
    "with Store.open(sys.argv[1], create=True) as store:\n"
    "    print(len(store.runs()))\n"
)


def test_of_several_processes_one_upgrades(tmp_path):
    path = unpacked("v1", tmp_path)
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    command = [sys.executable, "-c", OPEN, str(path)]
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert {out for out, _ in ended} == {f"{len(written('v1')['runs'])}\n"}
    assert sum("was upgraded" in err for _, err in ended) == 1
    assert names(tmp_path) == ["bench-v1.db", "bench.db"]
    check_numbers("v1", tmp_path / "bench-v1.db")


def upgrade_until(path, statements):
    """Open the store in a child that dies, by a real SIGKILL, after so many statements.

    Returns whether it was killed.
    """
    child = os.fork()
    if child == 0:
        left = statements

        def count(*_):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "after_cursor_execute", count)
        try:
            Store.open(path, create=True).close()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_kill_at_any_statement_of_an_upgrade_loses_nothing(tmp_path):
    path, kills = unpacked("v1", tmp_path), 0
    while upgrade_until(path, kills):
        kills += 1
        with closing(sqlite3.connect(path)) as raw:
            tables = {row[0] for row in raw.execute("SELECT name FROM sqlite_master")}
        if "alembic_version" not in tables:  # otherwise the last statement was committed
            check_numbers("v1", path)
    assert kills > 40
    assert mark_of(path) == [(VERSION,)]
    check_numbers("v1", path)
    assert names(tmp_path) == ["bench-v1.db", "bench.db"], "one copy, no drafts"
    check_numbers("v1", tmp_path / "bench-v1.db")


def test_no_copy_is_written_over_another_file(tmp_path):
    path = unpacked("v2", tmp_path)
    (tmp_path / "bench-v2.db").write_text("mine")
    (tmp_path / "bench.db.part").write_bytes(b"of a killed upgrade" * 1000)
    Store.open(path, create=True).close()
    assert (tmp_path / "bench-v2.db").read_text() == "mine"
    assert names(tmp_path) == ["bench-v2-2.db", "bench-v2.db", "bench.db"]
    check_numbers("v2", tmp_path / "bench-v2-2.db")


def test_threads_read_an_older_store_side_by_side(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    path = unpacked("v1", tmp_path)
    with Store.open(path) as store, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: len(store.runs()), range(40)))
    assert found == [len(written("v1")["runs"])] * 40


def damaged(version, folder, change):
    path = unpacked(version, folder)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("PRAGMA ignore_check_constraints=ON")
        raw.execute(change)
    return path


@pytest.mark.parametrize(
    ("version", "change", "named"),
    [
        ("v2", "UPDATE episodes SET video = x'00ff' WHERE id = 1", "video of episodes"),
        ("v1", "UPDATE traces SET steps = 'many' WHERE episode = 1", "steps of traces"),
        ("v1", "UPDATE episodes SET queries = x'00' WHERE id = 1", "queries of episodes"),
    ],
)
def test_a_field_of_another_type_stops_no_upgrade_and_is_named_by_who_reads_it(
    version, change, named, tmp_path
):
    path = damaged(version, tmp_path, change)
    for create in (False, True):
        with Store.open(path, create=create) as store, pytest.raises(StoreError, match=named):
            for run in store.runs():
                for row in store.episodes(run.id):
                    store.trace(run.id, row.key)
    assert mark_of(path) == [(VERSION,)]


def test_a_count_that_no_upgrade_can_work_with_leaves_the_store_as_it_was(tmp_path):
    path = damaged("v1", tmp_path, f"UPDATE traces SET steps = {2**62} WHERE episode = 1")
    with closing(sqlite3.connect(path)) as raw:
        before = list(raw.iterdump())
    assert "the file is as it was" in refusal(path, create=False)
    said = refusal(path, create=True)
    assert "damaged" in said and f"its copy {tmp_path / 'bench-v1.db'} are as they were" in said
    for one in (path, tmp_path / "bench-v1.db"):
        with closing(sqlite3.connect(one)) as raw:
            assert list(raw.iterdump()) == before


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_alembic_is_loaded_for_upgrades_alone(version, tmp_path):
    script = (
        "import sys\n"
        "from vlm4vla.store import Store\n"
        "store = Store.open(sys.argv[1])\n"
        "assert store.runs() and not store.library.scores()\n"
        "Store.open(sys.argv[1] + '.new', create=True).close()\n"
        "assert 'alembic' not in sys.modules\n"
    )
    path = unpacked(version, tmp_path)
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
