"""What a step costs beyond simulator and policy: our engine beside vla-eval 0.8.0.

    python -m tests.perf.overhead --peer

Both sides run a simulator and a policy that cost nothing, on the same frames, for the same
episodes, with their own way of running things: ours with its results store, Ray and a simulator
host per slot, the peer's with `vla-eval run` shards and its websocket server. Rounds of all rows
alternate between the sides; medians of the rounds are compared with the bars. Exit 1 if one is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.perf.contestants import PEER, PEER_VERSION, Cell, install_peer, measure
from tests.perf.gauge import Window

STEP_CPU_MS, CHUNK_CPU_MS, CHUNK, TIMES_PEER = 0.5, 0.1, 8, 4.0
"""The bars: a query per step, 8-action chunks, and steps/s against the peer's best raw wire."""

Samples = dict[Cell, list[Window]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--chunks", type=int, nargs="+", default=[1, CHUNK])
    parser.add_argument("--peer", action="store_true", help=f"measure {PEER} {PEER_VERSION} too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each window")
    parser.add_argument("--json", type=Path, help="write every window here")
    arguments = parser.parse_args()
    if arguments.peer:
        install_peer()
    cells = _cells(arguments.slots, arguments.chunks, arguments.peer)
    before = os.getloadavg()
    samples: Samples = {cell: [] for cell in cells}
    for number in range(arguments.rounds):
        for cell in cells:
            window = measure(cell, arguments.seconds)
            samples[cell].append(window)
            print(f"round {number + 1}  {_words(cell)}  {_figures([window])}", flush=True)
    print(_table(samples, before))
    verdicts = _verdicts(samples)
    for kept, text in verdicts:
        print(f"{'met   ' if kept else 'MISSED'}  {text}")
    if arguments.json:
        arguments.json.write_text(json.dumps(_facts(samples, before, verdicts), indent=1) + "\n")
    sys.exit(0 if all(kept for kept, _ in verdicts) else 1)


def _cells(slots: Sequence[int], chunks: Sequence[int], peer: bool) -> list[Cell]:
    """Every row, in the order of measuring: each of the peer's between two of ours."""
    cells = []
    for count in slots:
        ours = [Cell("ours", count, chunk, "unix") for chunk in chunks]
        ours.append(Cell("ours", count, 1, "tcp"))
        theirs = []
        if peer:
            theirs = [Cell(PEER, count, 1, "raw", recording) for recording in (False, True)]
            if count > 1:
                theirs.append(Cell(PEER, count, 1, "raw", False, max_batch=count))
            theirs += [Cell(PEER, count, chunk, "raw", False) for chunk in chunks if chunk > 1]
            theirs.append(Cell(PEER, count, 1, "png"))
        for place in range(max(len(ours), len(theirs))):
            cells += [*ours[place : place + 1], *theirs[place : place + 1]]
    return cells


def _verdicts(samples: Samples) -> list[tuple[bool, str]]:
    found = []
    for cell, windows in samples.items():
        if cell.side != "ours" or cell.wire != "unix":
            continue
        bar = {1: STEP_CPU_MS, CHUNK: CHUNK_CPU_MS}.get(cell.chunk)
        if bar is not None:
            value = _median(windows, "cpu_ms")
            text = f"{cell.slots} slots, chunk {cell.chunk}: {value:.3f} CPU-ms a step"
            found.append((value <= bar, f"{text}, bar {bar:g}"))
        rivals = [
            c for c in samples
            if (c.side, c.slots, c.chunk, c.wire) == (PEER, cell.slots, 1, "raw")
        ]  # fmt: skip
        if cell.chunk == 1 and rivals:
            ratio = statistics.median(
                window.rate / max(samples[rival][number].rate for rival in rivals)
                for number, window in enumerate(windows)
            )
            text = f"{cell.slots} slots: {ratio:.1f} times the steps/s of {PEER}'s best raw row"
            found.append((ratio >= TIMES_PEER, f"{text} (median over rounds), bar {TIMES_PEER:g}"))
    return found


def _table(samples: Samples, before: tuple[float, float, float]) -> str:
    rounds = len(next(iter(samples.values())))
    after = os.getloadavg()
    every = [window.others_cores for windows in samples.values() for window in windows]
    return "\n".join(
        [
            "",
            f"{_machine()}; {time.strftime('%Y-%m-%d')}; medians of {rounds} rounds (lowest to "
            f"highest); 1-minute load {before[0]:.1f} before, {after[0]:.1f} after; everything "
            f"else kept {statistics.median(every):.2f} cores busy (median; most {max(every):.2f})",
            "",
            "| side | slots | chunk | wire | recording | steps/s | CPU-ms/step | start-up s |",
            "|---|---:|---:|---|---|---:|---:|---:|",
            *(f"| {_words(cell, ' | ')} | {_figures(windows, ' | ')} |"
              for cell, windows in sorted(samples.items(), key=lambda pair: _order(pair[0]))),
            "",
        ]
    )  # fmt: skip


def _order(cell: Cell) -> tuple[object, ...]:
    return cell.slots, cell.side != "ours", cell.wire == "png", cell.chunk, cell.max_batch


def _words(cell: Cell, gap: str = "  ") -> str:
    wire = cell.wire + (f", batch {cell.max_batch}" if cell.max_batch > 1 else "")
    recording = "on" if cell.recording else "off"
    return gap.join([cell.side, str(cell.slots), str(cell.chunk), wire, recording])


def _figures(windows: Sequence[Window], gap: str = "  ") -> str:
    rates = [window.rate for window in windows]
    digits = 0 if min(rates) >= 100 else 1
    rate = f"{statistics.median(rates):.{digits}f}"
    if len(rates) > 1:
        rate += f" ({min(rates):.{digits}f} to {max(rates):.{digits}f})"
    cpu, startup = _median(windows, "cpu_ms"), _median(windows, "startup_s")
    if gap == "  ":
        return f"{rate} steps/s  {cpu:.3f} CPU-ms/step  start-up {startup:.1f} s"
    return gap.join([rate, f"{cpu:.3f}" if cpu < 10 else f"{cpu:.1f}", f"{startup:.1f}"])


def _median(windows: Sequence[Window], name: str) -> float:
    return statistics.median(float(getattr(window, name)) for window in windows)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {names[0] if names else platform.processor()}"


def _facts(
    samples: Samples, before: tuple[float, float, float], verdicts: Sequence[tuple[bool, str]]
) -> dict[str, object]:
    return {
        "machine": _machine(),
        "load_before": before,
        "load_after": os.getloadavg(),
        "peer": f"{PEER} {PEER_VERSION}",
        "rows": [
            {**asdict(cell), "windows": [asdict(window) for window in windows]}
            for cell, windows in samples.items()
        ],
        "verdicts": [{"met": kept, "text": text} for kept, text in verdicts],
    }


if __name__ == "__main__":
    main()
