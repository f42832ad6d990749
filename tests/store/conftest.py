import pytest

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.result import Metric
from vlm4vla.store import RunRecord, Store

METRICS = (
    Metric(name="success", kind="rate", of="success", headline=True),
    Metric(name="recognition", kind="rate", of="recognised", given="executed", chance=1 / 3),
)


def make_run(id="run-1", episodes=4, **changes):
    settings = {
        "policy": "expert",
        "suite": "toy",
        "simulator": "toy",
        "plan": tuple(EpisodeKey("toy", "reach", i) for i in range(episodes)),
        "metrics": METRICS,
        "options": {"size": 64, "faults": ["hang", None]},
        "comparability": {"engine": "numpy", "version": "1"},
        "provenance": {"commit": "abc"},
    }
    return RunRecord(id=id, **(settings | changes))


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "bench.db", create=True) as opened:
        yield opened
