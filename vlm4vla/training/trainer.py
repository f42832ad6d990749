"""The training loop, on Accelerate: one process or many, the same losses after any interruption.

Nothing that decides a loss lives only in memory: the samples of a step, its learning rate and its
random numbers are functions of the step; weights and moments are in the saved state.
"""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from vlm4vla.core import __version__
from vlm4vla.core.errors import BadInput, BenchError
from vlm4vla.models import checkpoint
from vlm4vla.models.config import Part
from vlm4vla.models.vla import VLA, trained
from vlm4vla.training import state
from vlm4vla.training.batches import Batch, Share
from vlm4vla.training.metrics import LossWindow, Metrics, held_out_losses
from vlm4vla.training.plan import TrainPlan


class TrainingDiverged(BenchError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class TrainingLine:
    """How far the training is; told at every line of metrics."""

    step: int
    steps: int
    losses: Mapping[str, float]
    """Whatever the decoder names, `loss` among them."""
    values: Mapping[str, float]
    """The whole line: losses, clocks, and what was measured on samples not trained on."""
    left_s: float


@dataclass(frozen=True)
class TrainingEnd:
    """How a command left the training."""

    step: int
    finished: bool
    main: bool = True
    """This process is the one that speaks."""


Observer = Callable[[TrainingLine | str], None]


def train(plan: TrainPlan, tell: Observer) -> TrainingEnd:
    """Begin the plan's training, or continue it where it stands.

    Raises BadInput before anything is loaded where the folder cannot be used, and where the
    weights are missing; TrainingDiverged where the loss is no number any more.
    """
    start = state.check_folder(plan.settings.out, plan.identity)
    return Trainer(plan, tell).run(start)


class Trainer:
    """Carries out one plan. Construction loads the weights."""

    def __init__(self, plan: TrainPlan, tell: Observer) -> None:
        """Build model and optimiser. Raises BadInput where that cannot be."""
        self._plan, self._tell = plan, tell
        settings = plan.settings
        AcceleratorState._reset_state()  # it would hold this training to the precision of the last
        self._accelerator = Accelerator(
            mixed_precision="bf16" if settings.precision == "bf16" else "no",
            cpu=plan.cpu,
            # Parts of a backbone that the ActionQuery does not read get no gradient.
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self._share = _share(plan, self._accelerator)
        self._accelerator.gradient_accumulation_steps = self._share.accumulate
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)  # of random weights: head, LoRA, --scratch
        model = VLA.build(plan.config)
        if "transformers" in sys.modules:  # its bars would run across our lines
            sys.modules["transformers"].utils.logging.disable_progress_bar()
        if settings.gradient_checkpointing:
            model.backbone.save_memory()
        plan.source.open(model)
        optimizer = torch.optim.AdamW(_groups(model, plan.weight_decay), lr=plan.lr)
        self._policy = model
        self._model, self._optimizer = self._accelerator.prepare(model.train(), optimizer)
        self._stop = False
        self._is_main = bool(self._accelerator.is_main_process)  # it speaks and writes

    def run(self, start: int) -> TrainingEnd:
        """Train from the state of step `start` (0: from the beginning) to the plan's last step."""
        plan = self._plan
        if self._is_main:
            state.begin(plan.settings.out, plan.identity)
        if start:
            self._accelerator.load_state(str(state.state_folder(plan.settings.out, start)))
            if self._is_main:
                self._tell(f"continues after step {start}")
                if not state.has_policy(plan.settings.out, start):
                    self._save_policy(start, start >= plan.steps)  # killed between the two
        if start >= plan.steps:
            return TrainingEnd(start, True, self._is_main)
        with self._stopping_on_signals():
            metrics = Metrics(plan.settings.out, start) if self._is_main else None
            try:
                step = self._loop(start, metrics)
            finally:
                if metrics is not None:
                    metrics.close()
        self._accelerator.end_training()
        return TrainingEnd(step, step >= plan.steps, self._is_main)

    def _loop(self, start: int, metrics: Metrics | None) -> int:
        plan, settings = self._plan, self._plan.settings
        stream = plan.source.batches(self._policy, self._share, range(start, plan.steps))
        window = LossWindow(plan.batch)
        began = time.monotonic()
        for step in range(start, plan.steps):
            norm = self._step(step, stream, window)
            done = step + 1
            last = done == plan.steps
            if done % settings.log_every == 0 or last:
                losses, clocks = window.close(self._accelerator)
                values = {**losses, "gradient_norm": float(norm), "lr": _lr(plan, step), **clocks}
                if done % plan.measure_every == 0 or last:
                    values |= self._measured(list(losses))
                if metrics is not None:
                    metrics.add(done, values)
                    left = (time.monotonic() - began) / (done - start) * (plan.steps - done)
                    self._tell(TrainingLine(done, plan.steps, losses, values, left))
                if not math.isfinite(losses["loss"]):
                    raise TrainingDiverged(
                        f"The loss is {losses['loss']} at step {done}.",
                        "Lower --lr, clip the gradient (--clip-gradients 1), or use --precision "
                        "fp32.",
                    )
                stop = self._agreed_stop()
                if done % plan.save_every == 0 or last or stop:
                    self._save(done, last)
                if stop and not last:
                    return done
        return plan.steps

    @torch.no_grad()
    def _measured(self, names: list[str]) -> Mapping[str, float]:
        self._policy.eval()
        meter = partial(held_out_losses, self._accelerator, self._policy, names)
        values = self._plan.source.measure(self._policy, self._share, meter)
        self._policy.train()
        return values

    def _step(self, step: int, stream: Iterator[Batch], window: LossWindow) -> Tensor | float:
        """One update of the weights; the norm of its gradient."""
        plan = self._plan
        # Dropout of a step has a seed of its own, so that none need be remembered.
        own = np.random.SeedSequence((plan.settings.seed, 2, step, self._share.rank))
        torch.manual_seed(int(own.generate_state(1, np.uint64)[0] >> 1))
        for group in self._optimizer.param_groups:
            group["lr"] = _lr(plan, step)
        for _ in range(self._share.accumulate):
            batch = next(stream).to(self._accelerator.device)
            with self._accelerator.accumulate(self._model):
                found = self._model(batch.inputs, batch.targets)
                self._accelerator.backward(found["loss"])
                window.add(found, self._share.accumulate)
                norm: Tensor | float = 0.0
                if self._accelerator.sync_gradients:
                    largest = plan.clip_gradients or float("inf")
                    norm = self._accelerator.clip_grad_norm_(self._model.parameters(), largest)
                self._optimizer.step()
                self._optimizer.zero_grad()
        return norm

    def _save(self, step: int, last: bool) -> None:
        """State first, then policy: a policy is never newer than what continues it."""
        out = self._plan.settings.out
        folder = state.state_folder(out, step)
        if self._is_main:
            state.draft(folder)
        self._accelerator.wait_for_everyone()
        # Tied weights are written once and tied again on loading; it would say so at every save.
        logging.getLogger("accelerate.utils.other").setLevel(logging.ERROR)
        self._accelerator.save_state(str(state.draft_of(folder)))
        self._accelerator.wait_for_everyone()
        if self._is_main:
            state.publish(folder)
            state.forget_older_states(out, step)
            self._save_policy(step, last)
        self._accelerator.wait_for_everyone()

    def _save_policy(self, step: int, last: bool) -> None:
        out = self._plan.settings.out
        facts: dict[str, str | int | float | bool] = {
            "step": step,
            "samples_seen": step * self._plan.batch,
            "data": ", ".join(path.name for path in self._plan.settings.data),
            "settings": self._plan.digest,
            "harness": __version__,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "device": self._accelerator.device.type,
            "processes": self._share.processes,
            "precision": self._plan.settings.precision,
            "seed": self._plan.settings.seed,
        }
        folder = out if last else state.policy_folder(out, step)
        place = out if last else state.draft(folder)
        checkpoint.save(self._policy, place, whole=self._plan.whole, training=facts)
        if not last:
            state.publish(folder)
        self._tell(f"checkpoint {folder}")

    def _agreed_stop(self) -> bool:
        """Whether any process was asked to stop; all learn of it at the same step."""
        flag = torch.tensor(float(self._stop), device=self._accelerator.device)
        return bool(self._accelerator.reduce(flag, "sum") > 0)

    @contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM saves and ends at the next line of metrics."""

        def handle(number: int, frame: FrameType | None) -> None:
            if self._stop:
                raise KeyboardInterrupt
            self._stop = True

        previous = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _lr(plan: TrainPlan, step: int) -> float:
    """After a linear warm-up constant, or down a cosine to 0."""
    if step < plan.warmup or plan.decay == "constant":
        return plan.lr * min(1.0, (step + 1) / max(1, plan.warmup))
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.lr * (0.5 + 0.5 * math.cos(math.pi * done))


def _groups(model: VLA, decays: Mapping[Part, float]) -> list[dict[str, Any]]:
    """What is trained, by its weight decay: that of its part, 0 outside the backbone."""
    of = {id(p): decay for part, decay in decays.items() for p in model.backbone.part(part)}
    groups: dict[float, list[nn.Parameter]] = {0.0: []}
    for _, parameter in trained(model):
        groups.setdefault(of.get(id(parameter), 0.0), []).append(parameter)
    return [{"params": params, "weight_decay": decay} for decay, params in groups.items()]


def _share(plan: TrainPlan, accelerator: Accelerator) -> Share:
    processes = accelerator.num_processes
    micro = plan.settings.micro_batch or max(1, plan.batch // processes)
    if plan.batch % (micro * processes):
        raise BadInput(
            f"A batch of {plan.batch} does not divide into {processes} processes with "
            f"micro-batches of {micro}.",
            f"Choose --micro-batch so that {processes} x it divides --batch.",
        )
    return Share(accelerator.process_index, processes, micro, plan.batch // (micro * processes))
