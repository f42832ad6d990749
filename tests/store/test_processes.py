import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.store.conftest import make_run
from vlm4vla.core.errors import RunConflict
from vlm4vla.store import Store

WRITER = Path(__file__).parent / "writer.py"


def start(path, run, episodes, *more, stdout=subprocess.PIPE):
    command = [sys.executable, str(WRITER), str(path), run, str(episodes), *more]
    return subprocess.Popen(command, stdout=stdout, text=True)


def test_sigkill_at_random_moments_loses_nothing_committed(tmp_path):
    path = tmp_path / "bench.db"
    rng = np.random.default_rng(7)
    told, kills = set(), 0
    writers = start(path, "killed", 400, "again")
    while len(told) < 400:
        word, number = writers.stdout.readline().split()
        assert word == "ready"
        time.sleep(float(rng.uniform(0, 0.1)))
        with suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGKILL)
            kills += 1
        told |= {int(line) for line in iter(writers.stdout.readline, "gone\n")}
        with Store.open(path) as store:
            rows = store.episodes("killed")
            inits = [row.key.init for row in rows]
            assert told <= set(inits)
            assert len(inits) == len(set(inits))
            if rows:
                last = rows[-1].key
                assert np.all(store.actions("killed", last) == last.init)
                assert store.actions("killed", last).shape == (50, 7)
        told |= set(inits)
    writers.kill()
    writers.communicate(timeout=30)
    assert kills >= 5
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("SELECT count(*) FROM traces").fetchone() == (400,)


def test_a_writer_killed_inside_a_transaction_leaves_no_trace(store):
    store.begin(make_run())
    script = (
        "import os, signal, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('BEGIN IMMEDIATE')\n"
        "db.execute('DELETE FROM runs')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run([sys.executable, "-c", script, store.name], timeout=30)
    assert died.returncode == -signal.SIGKILL
    assert [run.id for run in store.runs()] == ["run-1"]
    store.begin(make_run("run-2"))
    assert len(store.runs()) == 2


def test_processes_make_one_store_and_write_different_runs_at_once(tmp_path):
    path = tmp_path / "new" / "bench.db"
    writers = [start(path, f"run-{i}", 40) for i in range(4)]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    with Store.open(path) as store:
        assert sorted(run.id for run in store.runs()) == [f"run-{i}" for i in range(4)]
        assert all(len(store.finished(f"run-{i}")) == 40 for i in range(4))


def test_a_run_is_written_by_one_process_which_the_other_names(tmp_path):
    path = tmp_path / "bench.db"
    writer = start(path, "mine", 100_000)
    try:
        assert [writer.stdout.readline() for _ in range(2)] == [f"ready {writer.pid}\n", "0\n"]
        with Store.open(path) as store:
            with pytest.raises(RunConflict, match=f"process {writer.pid} on "), store.lock("mine"):
                pass
            with store.lock("another"):
                pass
            writer.kill()
            writer.wait(timeout=30)
            with store.lock("mine"):
                assert len(store.finished("mine")) > 0
    finally:
        with suppress(ProcessLookupError):
            writer.kill()
        writer.communicate(timeout=30)


def test_a_lock_does_not_outlive_its_holder_through_a_child(tmp_path):
    """A host process that survives its driver must not block the next `bench run`."""
    script = (
        "import subprocess, sys\n"
        "from vlm4vla.store import Store\n"
        "with Store.open(sys.argv[1], create=True) as store, store.lock('r'):\n"
        "    child = subprocess.Popen(['sleep', '60'], close_fds=False)\n"
        "    print(child.pid, flush=True)\n"
        "    import os; os._exit(0)\n"
    )
    path = tmp_path / "bench.db"
    driver = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    child = int(driver.stdout.readline())
    try:
        driver.wait(timeout=30)
        with Store.open(path) as store, store.lock("r"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        driver.stdout.close()
