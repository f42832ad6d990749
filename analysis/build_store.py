"""Makes analysis/store.db, the small store that the notebooks read and git keeps.

python analysis/build_store.py

Nine runs of a hundred episodes: three policies that need no training, on three splits of the emoji
task; some minutes on two cores. Action traces are left out: with them the file would be three times
as large, and no notebook reads them.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vlm4vla import run
from vlm4vla.store import Store

HERE = Path(__file__).resolve().parent
STORE = HERE / "store.db"
POLICIES = ("expert", "expert-blind", "random")
SPLITS = ("id", "train", "val")


def main() -> None:
    """Run what is missing, then pack the file."""
    for split in SPLITS:
        for policy in POLICIES:
            done = run(
                policy, f"grinningface_{split}", store=STORE, options={"robot": "panda"}, slots=2
            )
            print(f"{split} {policy}: {int((done.outcome == 'success').sum())} of {len(done)}")
    pack()


def pack() -> None:
    """Drop the traces and fold the journal in: one file is left, which no reader changes."""
    with Store.open(STORE) as store:
        assert all(len(store.finished(one.id)) == len(one.plan) for one in store.runs())
    connection = sqlite3.connect(STORE, isolation_level=None)
    connection.execute("DELETE FROM traces")
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("VACUUM")
    connection.close()
    for folder in ("locks", "traces", "videos"):
        for left in (HERE / folder).glob("*"):
            left.unlink()
        if (HERE / folder).is_dir():
            (HERE / folder).rmdir()


if __name__ == "__main__":
    main()
