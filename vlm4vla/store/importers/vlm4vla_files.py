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

import re

from pydantic import BaseModel, ConfigDict, ValidationError

from vlm4vla.store.importers.found import Found, ResultFile
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


def is_rate(file: ResultFile) -> bool:
    """Whether the JSON file holds one success rate."""
    return set(file.object) == {"success_rate", "test_num", "success_num"}


def is_chains(file: ResultFile) -> bool:
    """Whether the JSON file holds CALVIN's chains by epoch."""
    values = file.object.values()
    return bool(values) and all(isinstance(v, dict) and "chain_sr" in v for v in values)


def is_text(file: ResultFile) -> bool:
    """Whether the text is a log of running rates, or a printed summary."""
    first = file.text.lstrip().split("\n", 1)[0]
    return bool(_LENGTH.search(file.text) or _LINE.match(first))


def read_rate(file: ResultFile) -> Found:
    """One rate of LIBERO or SimplerEnv. Raises InvalidFile."""
    try:
        found = _Rate.model_validate_json(file.path.read_bytes())
    except ValidationError as error:
        raise file.invalid(error.errors()[0]["msg"]) from error
    k, n = found.success_num, found.test_num
    if not 0 <= k <= n or not n or abs(100 * k / n - found.success_rate) > 0.01:
        raise file.invalid(f"{k} of {n} is not {found.success_rate} %")
    named = _NAMED.match(file.path.stem)
    suite, task = _place(named["name"] if named else "", file.asked.suite)
    policy, suite = file.needed(file.asked.policy, "--policy"), file.needed(suite, "--suite")
    return Found("vlm4vla", (ImportedResult.rate(policy, suite, task, "success", k, n),))


def read_chains(file: ResultFile) -> Found:
    """CALVIN's chains, a policy per epoch where the file holds several. Raises InvalidFile."""
    policy = file.needed(file.asked.policy, "--policy")
    suite = file.asked.suite or _CALVIN
    results: list[ImportedResult] = []
    for epoch, content in file.object.items():
        try:
            found = _Chains.model_validate(content)
        except ValidationError as error:
            raise file.invalid(f"{epoch}: {error.errors()[0]['msg']}") from error
        name = policy if len(file.object) == 1 else f"{policy} epoch {epoch}"
        attempts = sum(one.total for one in found.task_info.values())
        rates = [found.chain_sr.get(i, 0.0) for i in range(1, 6)]
        # Every chain attempts its first subtask, and each later one if the one before was solved.
        n = round(attempts / (1 + sum(rates[:4]))) if attempts else None
        results += _chains(name, suite, rates, found.avg_seq_len, n)
        note = "of the attempts on this subtask"
        results += [
            ImportedResult.rate(name, suite, task, "success", one.success, one.total, note)
            for task, one in found.task_info.items()
            if one.total
        ]
    rank = re.search(r"_rand-(\d+)$", file.path.stem)
    note = f"the chains of process {rank[1]} alone" if rank and rank[1] != "0" else ""
    return Found("vlm4vla", tuple(results), note=note)


def read_text(file: ResultFile) -> Found:
    """A log of running rates, or a printed summary. Raises InvalidFile."""
    policy, suite = file.needed(file.asked.policy, "--policy"), file.asked.suite or _CALVIN
    lines = [match for line in file.text.splitlines() if (match := _LINE.match(line.strip()))]
    if lines:
        n, planned = len(lines), int(lines[-1][2])
        if [int(match[1]) for match in lines] != list(range(n)):
            raise file.invalid(
                "several processes wrote their running rates into it, which cannot be told apart; "
                "import their results_*.json instead"
            )
        rates = [round(float(part) * n) / n for part in lines[-1][3].split("|")[:5]]
        note = "" if n == planned else f"{n} of {planned} chains"
        return Found("vlm4vla", tuple(_chains(policy, suite, rates, sum(rates), n)), note=note)
    length = _LENGTH.search(file.text)
    shown = {int(i): float(value) / 100 for i, value in _RATE.findall(file.text)}
    if length is None or set(shown) != {1, 2, 3, 4, 5}:
        raise file.invalid("neither running rates nor a summary of five chain rates in it")
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
