"""A process of its own that writes one run: `python writer.py STORE RUN EPISODES`.

Prints the init of each episode once its row is committed.
"""

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
        print("ready", flush=True)
        for key in run.plan:
            if key not in done:
                actions = np.full((50, 7), float(key.init))
                store.record(run.id, EpisodeResult(key, Outcome.SUCCESS, actions=actions))
                print(key.init, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
