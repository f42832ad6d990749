"""What the store says when it cannot work. As root and as anybody else."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.store.conftest import make_run
from vlm4vla.core.errors import StoreError
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.store import Store
from vlm4vla.store.files import mount_type, on_network

ROOT = os.geteuid() == 0


@contextmanager
def mounted(kind, target, *options):
    target.mkdir(exist_ok=True)
    command = ["mount", *options, *(["-t", kind] if kind else [])]
    done = subprocess.run([*command, kind or str(target), str(target)], capture_output=True)
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield target
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)


def refusal(path, create):
    with pytest.raises(StoreError) as caught:
        Store.open(path, create=create).close()
    assert caught.value.fix, "an error without a remedy"
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


def test_a_missing_store(tmp_path):
    assert "There is no store" in refusal(tmp_path / "bench.db", create=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("create", [True, False])
def test_a_file_of_another_kind(tmp_path, create):
    path = tmp_path / "bench.db"
    path.write_text("task,success\nreach,1\n" * 400)
    assert "damaged or is not a store" in refusal(path, create)
    assert path.read_text().startswith("task"), "it must be left alone"


@pytest.mark.parametrize("create", [True, False])
def test_a_database_of_something_else(tmp_path, create):
    path = tmp_path / "bench.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE pets (name)")
    raw.close()
    assert "not one of vlm4vla's" in refusal(path, create)


def test_an_empty_file_is_a_new_store(tmp_path):
    path = tmp_path / "bench.db"
    path.touch()
    assert "is empty so far" in refusal(path, create=False)
    with Store.open(path, create=True) as store:
        assert store.runs() == []


def test_a_damaged_store(store):
    store.begin(make_run())
    for key in make_run(episodes=200).plan:
        actions = np.random.default_rng(key.init).random((20, 7))
        store.record("run-1", EpisodeResult(key, Outcome.SUCCESS, actions=actions))
    store.close()
    content = bytearray(Path(store.name).read_bytes())
    content[8192:] = bytes(len(content) - 8192)
    Path(store.name).write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged[\s\S]*\.recover"), Store.open(store.name) as s:
        s.episodes("run-1")


def test_a_truncated_store(store):
    store.begin(make_run())
    store.close()
    os.truncate(store.name, 6000)
    with pytest.raises(StoreError, match="damaged"), Store.open(store.name) as opened:
        opened.runs()


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "results").write_text("")
    assert "cannot be made" in refusal(tmp_path / "results" / "bench.db", create=True)


def test_a_folder_where_the_file_should_be(tmp_path):
    assert "is a folder" in refusal(tmp_path, create=True)
    assert "There is no store" in refusal(tmp_path, create=False)


def test_a_folder_nobody_may_write_to():
    """/proc refuses root as well."""
    text = refusal(Path("/proc/bench.db"), create=True)
    assert "--store FILE" in text


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_a_read_only_folder(store):
    store.begin(make_run())
    store.close()
    Path(store.name).parent.chmod(0o555)
    try:
        assert "read-only" in refusal(store.name, create=True)
        with Store.open(store.name) as opened:
            assert len(opened.runs()) == 1
    finally:
        Path(store.name).parent.chmod(0o755)


@pytest.mark.skipif(not ROOT, reason="mounting needs root")
def test_a_read_only_medium_can_be_read(tmp_path):
    """A store in WAL mode, too, and without leaving anything beside it."""
    with mounted("tmpfs", tmp_path / "medium", "-o", "size=32m") as medium:
        with Store.open(medium / "bench.db", create=True) as store:
            store.begin(make_run())
        subprocess.run(["mount", "-o", "remount,ro", str(medium)], check=True)
        assert "read-only" in refusal(medium / "bench.db", create=True)
        assert "cannot be made" in refusal(medium / "new" / "bench.db", create=True)
        with Store.open(medium / "bench.db") as store:
            assert [run.id for run in store.runs()] == ["run-1"]
            with pytest.raises(StoreError, match="cannot be opened for this"):
                store.begin(make_run("run-2"))


def fill(folder):
    with open(folder / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            return


@pytest.mark.skipif(not ROOT, reason="mounting needs root")
def test_a_full_disk(tmp_path):
    with mounted("tmpfs", tmp_path / "disk", "-o", "size=20m") as disk:
        store = Store.open(disk / "bench.db", create=True)
        plan = store.begin(make_run(episodes=5000)).plan
        store.record("run-1", EpisodeResult(plan[0], Outcome.SUCCESS))
        fill(disk)
        kept = 1
        actions = np.random.default_rng(0).random((200, 7))
        with pytest.raises(StoreError, match=r"disk .* is full[\s\S]*Free some space"):
            for key in plan[1:]:
                store.record("run-1", EpisodeResult(key, Outcome.SUCCESS, actions=actions))
                kept += 1
        store.close()
        with pytest.raises(StoreError, match="is full"):
            Store.open(disk / "bench.db", create=True)
        (disk / "ballast").unlink()
        with Store.open(disk / "bench.db", create=True) as again:
            assert len(again.finished("run-1")) == kept
            assert again.record("run-1", EpisodeResult(plan[kept], Outcome.FAILURE))


def test_a_file_size_limit(tmp_path):
    """The same for anybody: the system refuses to let the file grow."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from tests.store.test_refusals import run_into_the_limit\n"
        "run_into_the_limit(sys.argv[1])\n"
    )
    path = tmp_path / "bench.db"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), root], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    with Store.open(path, create=True) as store:
        assert len(store.finished("run-1")) == int(done.stdout)
        assert int(done.stdout) > 5


def run_into_the_limit(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = Store.open(path, create=True)
    plan = store.begin(make_run(episodes=1000)).plan
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    actions = np.random.default_rng(0).random((200, 7))
    kept = 0
    try:
        for key in plan:
            store.record("run-1", EpisodeResult(key, Outcome.SUCCESS, actions=actions))
            kept += 1
    except StoreError as error:
        assert error.fix
        print(kept)
        return
    raise AssertionError("the limit was not met")


def test_a_store_that_somebody_keeps_locked(store, monkeypatch):
    monkeypatch.setattr("vlm4vla.store.connect.BUSY_S", 0.3)
    rude = sqlite3.connect(store.name, isolation_level=None)
    rude.execute("BEGIN IMMEDIATE")
    with Store.open(store.name) as other, pytest.raises(StoreError, match="locked"):
        other.begin(make_run())
    rude.execute("ROLLBACK")
    rude.close()


def test_odd_file_names_are_files(tmp_path):
    path = tmp_path / "a b?mode=ro#%41" / "ü.db"
    with Store.open(path, create=True) as store:
        store.begin(make_run())
    assert path.is_file()
    shutil.copy(path, tmp_path / "copy.db")
    with Store.open(tmp_path / "copy.db") as copy:
        assert len(copy.runs()) == 1


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/local\\040disk xfs rw 0 0
host: /mnt/ssh fuse.sshfs rw 0 0
tmpfs /mnt/ram tmpfs rw 0 0
server:/x /mnt/ram nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/srv/bench.db", "ext4", False),
        ("/home/me/results/bench.db", "nfs4", True),
        ("/home/local disk/bench.db", "xfs", False),
        ("/homes/bench.db", "ext4", False),
        ("/mnt/ssh/bench.db", "fuse.sshfs", True),
        ("/mnt/ram/bench.db", "nfs", True),
    ],
)
def test_network_file_systems_are_recognised(path, kind, network):
    assert mount_type(Path(path), MOUNTS) == kind
    assert on_network(Path(path), MOUNTS) is network


def test_no_wal_on_a_network_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr("vlm4vla.store.connect.on_network", lambda path: True)
    with Store.open(tmp_path / "bench.db", create=True) as store:
        store.begin(make_run())
        assert not (tmp_path / "bench.db-wal").exists()
    with sqlite3.connect(tmp_path / "bench.db") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
