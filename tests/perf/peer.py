"""The peer's side: a benchmark and a model server for vla-eval that cost nothing.

Runs in the peer's own environment. As a module it is the model server's process; vla-eval's shards
find `ZeroBenchmark` by its import path.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.model_servers.base import SessionContext
from vla_eval.model_servers.predict import PredictModelServer
from vla_eval.model_servers.serve import serve
from vla_eval.protocol.numpy_codec import set_image_format

from tests.perf.workload import ACTION, STATE, STEPS, Marks, frames


class ZeroBenchmark(StepBenchmark):
    """Shows ready frames and eight numbers, for STEPS steps."""

    def __init__(self, marks: str, wire: str) -> None:
        super().__init__()
        # Its users get PNG: neither its command line nor its configuration reaches this switch.
        set_image_format(wire)  # type: ignore[arg-type]
        self._frames = frames()
        self._state = np.zeros(STATE, np.float32)
        self._mark = Marks(marks)
        self._steps = 0

    def get_tasks(self) -> list[dict[str, Any]]:
        return [{"name": "zero"}]

    def reset(self, task: dict[str, Any]) -> np.ndarray:
        self._steps = 0
        return self._frames[0]

    def step(self, action: dict[str, Any]) -> StepResult:
        self._mark()
        self._steps += 1
        frame = self._frames[self._steps % len(self._frames)]
        return StepResult(obs=frame, reward=0.0, done=self._steps >= STEPS, info={})

    def make_obs(self, raw_obs: np.ndarray, task: dict[str, Any]) -> dict[str, Any]:
        return {
            "images": {"view": raw_obs},
            "states": self._state,
            "task_description": "do nothing",
        }

    def get_step_result(self, step_result: StepResult) -> dict[str, Any]:
        return {"success": False}

    def get_metadata(self) -> dict[str, Any]:
        return {"max_steps": STEPS + 1}


class ZeroServer(PredictModelServer):
    """Answers at once; `chunk` actions a prediction, handed out one an observation."""

    def __init__(self, marks: str, chunk: int, max_batch: int) -> None:
        batching = {"max_batch_size": max_batch, "max_wait_time": 0.002} if max_batch > 1 else {}
        super().__init__(chunk_size=chunk if chunk > 1 else None, **batching)
        shape = (chunk, ACTION) if chunk > 1 else (ACTION,)
        self._actions = np.zeros(shape, np.float32)
        self._mark = Marks(marks, "server")

    def predict(self, obs: dict[str, Any], ctx: SessionContext) -> dict[str, Any]:
        self._mark()
        return {"actions": self._actions}

    def predict_batch(
        self, obs_batch: list[dict[str, Any]], ctx_batch: list[SessionContext]
    ) -> list[dict[str, Any]]:
        self._mark(len(obs_batch))
        return [{"actions": self._actions} for _ in obs_batch]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--marks", required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--max-batch", type=int, required=True)
    arguments = parser.parse_args()
    server = ZeroServer(arguments.marks, arguments.chunk, arguments.max_batch)
    serve(server, host="127.0.0.1", port=arguments.port)


if __name__ == "__main__":
    main()
