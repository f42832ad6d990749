"""Everything a store says through its interface, as JSON: `python told.py STORE`.

Written so that the vlm4vla that made a fixture can run it too.
"""

import hashlib
import json
import sys
from dataclasses import asdict

import numpy as np

from vlm4vla.store import Store
from vlm4vla.store.library import Library


def told(path):
    with Store.open(path) as store:
        runs = {}
        for run in store.runs():
            rows = store.episodes(run.id)
            runs[run.id] = {
                "record": asdict(run) | {"metrics": run.metrics},
                "finished": {str(key): outcome for key, outcome in store.finished(run.id).items()},
                "episodes": [_row(row) for row in rows],
                "faults": [asdict(fault) for fault in store.faults(run.id)],
                "traces": [_trace(store, run.id, row.key) for row in rows],
            }
        counts = store.counts()
    with Store.open(path) as store:
        library = getattr(store, "library", None)  # before version 3: opened for itself
        imports = _imports(library if library is not None else Library.open(path))
    everything = {"runs": runs, "counts": counts, **imports}
    return json.loads(json.dumps(everything, default=lambda m: [m.name, m.kind, m.of, m.headline]))


def _imports(library):
    parts = {"sources": library.sources(), "results": library.results(), "scores": library.scores()}
    return {name: [asdict(one) for one in listed] for name, listed in parts.items()}


def _row(row):
    found = asdict(row) | {"video": row.video.split("/")[-3:]}
    if not found.get("digest"):  # since version 5
        found.pop("digest", None)
    return found


def _trace(store, run, key):
    actions = store.actions(run, key)
    found = {"shape": actions.shape, "sha256": hashlib.sha256(actions.tobytes()).hexdigest()}
    if hasattr(store, "trace"):
        trace = store.trace(run, key)
        found["asked"] = trace.query_steps
        if np.size(getattr(trace, "drawn", ())):  # since version 4
            found["drawn"] = trace.drawn.tolist()
    return found


if __name__ == "__main__":
    print(json.dumps(told(sys.argv[1]), indent=1))
