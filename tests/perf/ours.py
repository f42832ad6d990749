"""Our side's process: a run as `bench run` makes it, results store and all, until interrupted.

A process of its own and not the command itself, because the command offers no TCP on one machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vlm4vla.runs.execute import execute
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest
from vlm4vla.store import Store

RUN = "overhead"
_EPISODES = 5000  # more than fit into any window


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--chunk", required=True)
    parser.add_argument("--tcp", action="store_true")
    arguments = parser.parse_args()
    suite = {
        "name": "zero",
        "summary": "costs nothing",
        "simulator": "tests.perf.zero:Zero",
        "generator": "tests.perf.zero:episodes",
        "episodes": {"count": _EPISODES},
        "options": {"marks": str(arguments.folder / "steps")},
    }
    file = arguments.folder / "zero.yaml"
    file.write_text(json.dumps(suite))  # JSON is YAML
    plan = resolve(
        RunRequest(
            "tests.perf.zero:ZeroPolicy",
            str(file),
            policy_options={"chunk": arguments.chunk},
            slots=arguments.slots,
            run_id=RUN,
            tcp=arguments.tcp,
        )
    )
    with Store.open(arguments.folder / "store.db", create=True) as store:
        execute(plan, store, lambda event: None)


if __name__ == "__main__":
    main()
