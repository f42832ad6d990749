"""Result files of the published code of VLM4VLA and of RoboVLMs, which it grew from.

Four kinds (CladernyJorn/VLM4VLA@20fedc9, `eval/`):

- `libero_10_0.4660.json`, `PutCarrotOnPlateInScene-v0_0.2083.json`: success_rate in percent,
  test_num, success_num; suite or environment in the file's name.
- `success_rate_calvin_*.txt`: after every chain a line `7/1000: 0.875 | 0.750 | ...` with the
  running rates of 1 to 5 subtasks in a row.
- `results_calvin_*_rand-0.json`: avg_seq_len, chain_sr, and attempts and successes by subtask.
- The evaluator's printed summary: `Average successful sequence length`, then `1: 93.3%` and so on.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vlm4vla.store.importers.found import Asked, Found, invalid, needed, rate
from vlm4vla.store.library import ImportedResult

_LINE = re.compile(r"^(\d+)/(\d+): ((?:[01]\.\d+ \| ?){5})\s*$")
_LENGTH = re.compile(r"Average successful sequence length:\s*([\d.]+)")
_RATE = re.compile(r"^\s*([1-5]):\s*([\d.]+)\s*%\s*$", re.M)
_NAMED = re.compile(r"^(?P<name>.+)_[01]\.\d{4}$")
_BRIDGE = {
    "PutCarrotOnPlateInScene": "carrot", "PutEggplantInBasketScene": "eggplant",
    "PutSpoonOnTableClothInScene": "spoon", "StackGreenCubeOnYellowCubeBakedTexInScene": "cube",
}  # fmt: skip
_CALVIN = "calvin_abcd"


class _Rate(BaseModel):
    model_config = ConfigDict(extra="forbid")
    success_rate: float
    test_num: int
    success_num: int


class _Subtask(BaseModel):
    success: int
    total: int


class _Chains(BaseModel):
    avg_seq_len: float
    chain_sr: dict[int, float]
    task_info: dict[str, _Subtask] = {}


def is_rate(path: Path) -> bool:
    """Whether the JSON file holds one success rate."""
    return set(_object(path)) == {"success_rate", "test_num", "success_num"}


def is_chains(path: Path) -> bool:
    """Whether the JSON file holds CALVIN's chains by epoch."""
    values = _object(path).values()
    return bool(values) and all(isinstance(v, dict) and "chain_sr" in v for v in values)


def is_text(path: Path) -> bool:
    """Whether the text is a log of running rates, or a printed summary."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return bool(_LENGTH.search(text) or _LINE.match(text.lstrip().split("\n", 1)[0]))


def read_rate(path: Path, asked: Asked) -> Found:
    """One rate of LIBERO or SimplerEnv. Raises InvalidFile."""
    try:
        found = _Rate.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise invalid(path, error.errors()[0]["msg"]) from error
    name = _NAMED.match(path.stem)
    suite, task = _place(name["name"] if name else "", asked.suite)
    k, n = found.success_num, found.test_num
    if not 0 <= k <= n or not n or abs(100 * k / n - found.success_rate) > 0.01:
        raise invalid(path, f"{k} of {n} is not {found.success_rate} %")
    policy = needed(asked.policy, path, "--policy")
    result = rate(policy, needed(suite, path, "--suite"), task, "success", k, n)
    return Found("vlm4vla", (result,))


def read_chains(path: Path, asked: Asked) -> Found:
    """CALVIN's chains, a policy per epoch where the file holds several. Raises InvalidFile."""
    policy = needed(asked.policy, path, "--policy")
    epochs = _object(path)
    results: list[ImportedResult] = []
    for epoch, content in epochs.items():
        try:
            found = _Chains.model_validate(content)
        except ValidationError as error:
            raise invalid(path, f"{epoch}: {error.errors()[0]['msg']}") from error
        name = policy if len(epochs) == 1 else f"{policy} epoch {epoch}"
        attempts = sum(one.total for one in found.task_info.values())
        rates = [found.chain_sr.get(i, 0.0) for i in range(1, 6)]
        # Every chain attempts its first subtask, and each later one if the one before was solved.
        n = round(attempts / (1 + sum(rates[:4]))) if attempts else None
        suite = asked.suite or _CALVIN
        results += _chains(name, suite, rates, found.avg_seq_len, n)
        results += [
            rate(name, suite, task, "success", one.success, one.total,
                 note="of the attempts on this subtask")
            for task, one in found.task_info.items()
            if one.total
        ]  # fmt: skip
    rank = re.search(r"_rand-(\d+)$", path.stem)
    note = f"the chains of process {rank[1]} alone" if rank and rank[1] != "0" else ""
    return Found("vlm4vla", tuple(results), note=note)


def read_text(path: Path, asked: Asked) -> Found:
    """A log of running rates, or a printed summary. Raises InvalidFile."""
    policy, suite = needed(asked.policy, path, "--policy"), asked.suite or _CALVIN
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [match for line in text.splitlines() if (match := _LINE.match(line.strip()))]
    if lines:
        numbers = [int(match[1]) for match in lines]
        if numbers != list(range(len(numbers))):
            raise invalid(
                path,
                "several processes wrote their running rates into it, which cannot be told apart; "
                "import their results_*.json instead",
            )
        n, planned = len(lines), int(lines[-1][2])
        rates = [float(part) for part in lines[-1][3].split("|")[:5]]
        counts = [round(rate_ * n) for rate_ in rates]
        exact = [count / n for count in counts]
        note = "" if n == planned else f"{n} of {planned} chains"
        return Found("vlm4vla", tuple(_chains(policy, suite, exact, sum(exact), n)), note=note)
    length = _LENGTH.search(text)
    shown = {int(i): float(value) / 100 for i, value in _RATE.findall(text)}
    if length is None or set(shown) != {1, 2, 3, 4, 5}:
        raise invalid(path, "neither running rates nor a summary of five chain rates in it")
    rates = [shown[i] for i in range(1, 6)]
    return Found("vlm4vla", tuple(_chains(policy, suite, rates, float(length[1]), None)))


def _chains(
    policy: str, suite: str, rates: list[float], length: float, n: int | None
) -> list[ImportedResult]:
    results = [ImportedResult(policy, suite, "all", "length", "mean", length, n, None)]
    for i, value in enumerate(rates, start=1):
        k = round(value * n) if n else None
        results.append(ImportedResult(policy, suite, "all", f"sr{i}", "rate", value, n, k))
    return results


def _place(name: str, suite: str) -> tuple[str, str]:
    environment = name.partition("-")[0]
    if environment in _BRIDGE:
        return suite or "simpler_bridge", _BRIDGE[environment]
    return (suite or name, "all") if name.startswith("libero") else (suite, name or "all")


def _object(path: Path) -> dict[str, object]:
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return {}
    return text if isinstance(text, dict) else {}
