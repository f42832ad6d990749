"""What a run starts of Ray; two nodes (on this machine): slots on both, TCP, the same rows."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

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


ALONE = """
import psutil, ray
from vlm4vla.rollout.cluster import cluster

with cluster():
    assert ray.get(ray.remote(lambda: 7).remote()) == 7
    for process in psutil.Process().children(recursive=True):
        program, *words = process.cmdline()
        script = next((word for word in words if word.endswith(".py")), program)
        print(script.strip().rpartition("/")[2])
"""


def test_of_ray_only_the_scheduler_and_its_workers_start():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr[-3000:]
    started = Counter(done.stdout.split())
    guard = Path(sys.executable).name
    workers = {name for name in started if name.startswith("ray::") or name == "default_worker.py"}
    assert workers and started["idle_agent.py"] == 2
    assert set(started) - workers == {"gcs_server", "raylet", "idle_agent.py", guard}, started
