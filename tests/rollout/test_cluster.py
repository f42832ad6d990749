"""Two Ray nodes (on this machine): slots on both, observations over TCP, the same rows."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from ray.cluster_utils import Cluster
import ray

nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
nodes.add_node(num_cpus=2)
ray.init(address=nodes.address, log_to_driver=False)

from vlm4vla.core.result import Outcome
from vlm4vla.rollout.cluster import Job, cluster
from vlm4vla.rollout.engine import Engine
from vlm4vla.rollout.events import Finished
from vlm4vla.runs.plan import resolve
from vlm4vla.runs.request import RunRequest

def home(slot):
    return ray.get_runtime_context().get_node_id()


plan = resolve(RunRequest("expert", "toy"))
with cluster() as here:
    assert (here.nodes, here.cpus) == (2, 3)
    job = Job(plan.host, plan.suite.episodes, plan.policy, slots=here.cpus)
    engine = Engine(job, here)
    results, homes = [], set()
    for event in engine.run():
        if isinstance(event, Finished):
            results.append(event.result)
        if not homes:
            ask = [place.actor.__ray_call__.remote(home) for place in engine._places]
            homes |= set(ray.get(ask))
    assert engine._address.port, "several nodes need TCP"
    assert len(homes) == 2
assert len(results) == 20 and all(r.outcome is Outcome.SUCCESS for r in results)
print("queries", engine.statistics.queries)
ray.shutdown()
nodes.shutdown()
"""


def test_a_run_spreads_over_two_nodes():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "queries" in done.stdout
