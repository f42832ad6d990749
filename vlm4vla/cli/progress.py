"""What a running `bench run` shows: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vlm4vla.cli.screen import clock
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.result import EpisodeResult, Outcome
from vlm4vla.reports.tables.numbers import TENTHS, counted, interval_text
from vlm4vla.rollout.events import Event, Finished, Retried, Tick
from vlm4vla.runs.execute import Opened, RunSummary, execute
from vlm4vla.runs.plan import RunPlan
from vlm4vla.stats.intervals import rate_of_tasks
from vlm4vla.store import Store

LINE_EVERY_S = 10.0
"""Where there is no terminal."""


def watched(plan: RunPlan, store: Store, console: Console) -> RunSummary:
    """Carry the plan out, and show how it goes."""
    with LiveProgress(plan, console) as progress:
        return execute(plan, store, progress.observe)


def end_if_interrupted(interrupted: bool, console: Console) -> None:
    """Say how to go on, and end the command."""
    if interrupted:
        console.print("Interrupted. The same command continues.")
        sys.exit(130)


class LiveProgress:
    """Counts outcomes and tells them: episodes, success rate, speed, time left, each slot."""

    def __init__(self, plan: RunPlan, console: Console) -> None:
        """Print to `console`."""
        self._plan, self._console = plan, console
        self._planned = len(plan.suite.episodes)
        self._outcomes: dict[EpisodeKey, Outcome] = {}
        self._remaining = self._done_now = self._steps = 0
        self._since = self._last_line = time.monotonic()
        self._tick = Tick([])
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._panel, console=self._console, refresh_per_second=4
            )
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Leave the final state on the screen."""
        if self._live is not None:
            self._tick = Tick([])  # nothing runs any more
            self._live.stop()
        elif kind is None:
            self._console.print(self._line(), soft_wrap=True)

    def observe(self, event: Opened | Event) -> None:
        """Take in one event of the run."""
        if isinstance(event, Opened):
            self._open(event)
        elif isinstance(event, Finished):
            self._outcomes[event.result.key] = event.result.outcome
            self._done_now += 1
            self._steps += event.result.steps
            if event.result.error is not None:
                self._report(event.result, "quarantined")
        elif isinstance(event, Retried):
            self._report(event.result, "will be tried again")
        else:
            self._tick = event
            if self._live is None and time.monotonic() - self._last_line > LINE_EVERY_S:
                self._last_line = time.monotonic()
                self._console.print(self._line(), soft_wrap=True)

    def _open(self, event: Opened) -> None:
        # A dictionary: a quarantined episode that is tried again is the same episode.
        self._outcomes |= event.finished
        self._planned = event.planned
        self._remaining = event.remaining
        text = f"run {event.run}: {counted(event.planned, 'episode')}"
        if event.finished:
            text += f", {len(event.finished)} already stored"
        if event.remaining:
            text += f", {counted(min(self._plan.slots, event.remaining), 'slot')}"
        self._console.print(text, soft_wrap=True)
        self._since = time.monotonic()

    def _report(self, result: EpisodeResult, fate: str) -> None:
        assert result.error is not None
        reason = result.error_text.strip().splitlines() or [""]
        shown = reason[-1 if "Traceback" in reason[0] else 0]
        key = f"{result.key.task}/{result.key.init}"
        text = f"{key} attempt {result.attempt}: {result.error.value} error, {fate}: {shown}"
        self._console.print(Text(text, style="yellow"), soft_wrap=True)

    @property
    def _rate(self) -> str:
        found = Counter((key.task, outcome) for key, outcome in self._outcomes.items())
        tasks = {task for task, _ in found}
        errors = sum(found[task, Outcome.ERROR] for task in tasks)
        successes = [found[task, Outcome.SUCCESS] for task in tasks]
        failures = [found[task, Outcome.FAILURE] for task in tasks]
        # As the leaderboard will show it: every task weighs the same.
        rate = rate_of_tasks(successes, np.add(successes, failures))
        shown = "success -"
        if rate is not None:
            shown = f"success {TENTHS.text(rate.value)}% "
            shown += interval_text(rate.low, rate.high, TENTHS)
        return shown + (f", {counted(errors, 'error')}" if errors else "")

    @property
    def _speed(self) -> str:
        passed = max(time.monotonic() - self._since, 1e-9)
        left = self._remaining - self._done_now
        text = f"{self._steps / passed:.0f} steps/s"
        if self._done_now and left:
            text += f", {clock(left * passed / self._done_now)} left"
        return text

    def _line(self) -> str:
        text = f"{len(self._outcomes)}/{self._planned} episodes, {self._rate}"
        return text + (f", {self._speed}" if self._remaining else "")

    def _panel(self) -> Group:
        bar = Table.grid(padding=(0, 1))
        done = f"{len(self._outcomes)}/{self._planned} episodes"
        bar.add_row(
            ProgressBar(total=max(1, self._planned), completed=len(self._outcomes), width=20),
            done + (f", {self._speed}" if self._remaining else ""),
        )
        slots = Table.grid(padding=(0, 2))
        for number, state in enumerate(self._tick.running):
            doing = f"{state[0].task}/{state[0].init}" if state else "idle"
            slots.add_row(f"  slot {number}", doing, f"{state[1]:.0f} s" if state else "")
        return Group(bar, Text(self._rate), slots)
