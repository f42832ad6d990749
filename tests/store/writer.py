"""A process of its own that writes one run: `python writer.py STORE RUN EPISODES`.

Prints the init of each episode once its row is committed. With `again`, a process that has loaded
everything forks one writer after the other until one ends by itself: each prints `ready` and its
number first, and `gone` follows its end.
"""

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.store.conftest import make_run
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.store import Store


def main(path, name, episodes):
    with Store.open(path, create=True) as store, store.lock(name):
        run = store.begin(make_run(name, episodes=episodes))
        done = store.finished(run.id)
        print("ready", os.getpid(), flush=True)
        for key in run.plan:
            if key not in done:
                actions = np.full((50, 7), float(key.init))
                store.record(run.id, EpisodeResult(key, Outcome.SUCCESS, actions=actions))
                os.write(1, f"{key.init}\n".encode())  # whole or not at all, killed or not


def again(path, name, episodes):
    while True:
        child = os.fork()
        if not child:
            main(path, name, episodes)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("gone", flush=True)
        if not status:
            return


if __name__ == "__main__":
    (again if "again" in sys.argv else main)(sys.argv[1], sys.argv[2], int(sys.argv[3]))
