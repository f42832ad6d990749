"""Do the intervals hold what they promise, and do the tests err as rarely as they say?

    python analysis/coverage.py                       # prints the tables of docs/statistics.md
    python analysis/coverage.py --out docs/statistics.md   # puts them there

Rates are enumerated exactly where that is possible, otherwise simulated with fixed seeds. With
`--scale 0.05` everything is drawn less often: a quick look, and what the test does.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import special, stats

from vlm4vla.stats.binomial import clopper_pearson, jeffreys
from vlm4vla.stats.correlation import bootstrap_interval, fisher_interval, permutation_test
from vlm4vla.stats.equivalence import tost_paired_rates
from vlm4vla.stats.intervals import bootstrap_mean, stratified_rate, wilson
from vlm4vla.stats.paired import PairedCounts, mcnemar, newcombe, sign_flip
from vlm4vla.stats.product import decompose
from vlm4vla.stats.rules import Step, installed
from vlm4vla.stats.sequential import log_capital
from vlm4vla.stats.unpaired import newcombe_unpaired, rate_test

LEVEL = 95.0
TOLERANCE = 1.5
"""Percentage points from nominal beyond which a row is marked."""


@dataclass(frozen=True)
class Line:
    """One row of a table, in percent."""

    what: str
    case: str
    value: float
    error: float = 0.0
    """Standard error of the simulation; 0 where enumerated."""
    worst: float | None = None


def generator(name: str) -> np.random.Generator:
    """The same draws for the same table, whatever else is computed."""
    return np.random.default_rng([ord(sign) for sign in name])


def share(hits: int, n: int) -> tuple[float, float]:
    """Percent and its standard error."""
    p = hits / n
    return 100 * p, 100 * float(np.sqrt(max(p * (1 - p), 1 / n) / n))


def rates() -> Iterator[Line]:
    """Coverage of one rate, by enumeration over every outcome, at rates of 2 to 98 %."""
    grid = np.linspace(0.02, 0.98, 193)
    for name, interval in (
        ("Wilson", wilson),
        ("Clopper-Pearson", clopper_pearson),
        ("Jeffreys", jeffreys),
    ):
        for n in (24, 100, 500):
            k = np.arange(n + 1)
            low, high = interval(k, n)
            covered = (low <= grid[:, None]) & (grid[:, None] <= high)
            exact = 100 * np.sum(covered * stats.binom.pmf(k, n, grid[:, None]), axis=1)
            yield Line(name, f"n = {n}", float(exact.mean()), worst=float(exact.min()))


def stratified(scale: float) -> Iterator[Line]:
    """Coverage of a suite's mean over tasks."""
    rng, repeats = generator("stratified"), round(2000 * scale)
    for tasks, n, spread in ((4, 24, (0.05, 0.6)), (10, 50, (0.3, 0.95)), (4, 24, (0.0, 0.05))):
        true = np.linspace(*spread, tasks)
        drawn = rng.binomial(n, true, size=(repeats, tasks))
        found = [stratified_rate(k, np.full(tasks, n)) for k in drawn]
        hits = sum(e.low <= true.mean() <= e.high for e in found)
        case = f"{tasks} tasks of {n}, rates {100 * spread[0]:g} to {100 * spread[1]:g} %"
        yield Line("mean over tasks (MOVER of Wilson)", case, *share(hits, repeats))


PAIRS = ((0.5, 0.2, 0.1, 0.2), (0.3, 0.1, 0.1, 0.5), (0.85, 0.02, 0.08, 0.05), (0.1, 0.4, 0.4, 0.1))
"""both, first only, second only, neither."""


def differences(scale: float) -> Iterator[Line]:
    """Coverage of the difference of two rates."""
    rng, repeats = generator("differences"), round(4000 * scale)
    cached = lru_cache(maxsize=None)(lambda cells: newcombe(PairedCounts(*cells)))
    for n in (24, 100):
        for chances in PAIRS:
            true = chances[1] - chances[2]
            drawn = [tuple(map(int, c)) for c in rng.multinomial(n, chances, size=repeats)]
            hits = sum(cached(c).low <= true <= cached(c).high for c in drawn)
            case = f"{n} pairs, both/first/second/neither {_percent(chances)}"
            yield Line("Newcombe, paired", case, *share(hits, repeats))
    apart = lru_cache(maxsize=None)(lambda a, b, n: newcombe_unpaired(a, n, b, n))
    for n in (24, 100):
        for p, q in ((0.5, 0.5), (0.9, 0.7), (0.95, 0.95)):
            a, b = rng.binomial(n, p, repeats), rng.binomial(n, q, repeats)
            found = [apart(int(i), int(j), n) for i, j in zip(a, b, strict=True)]
            hits = sum(e.low <= p - q <= e.high for e in found)
            case = f"{n} episodes each, rates {100 * p:g} and {100 * q:g} %"
            yield Line("Newcombe, unpaired", case, *share(hits, repeats))


def means(scale: float) -> Iterator[Line]:
    """Coverage of CALVIN's average length, and of its paired difference."""
    rng, repeats = generator("means"), round(1000 * scale)
    for n in (100, 1000):
        for p in (0.5, 0.8, 0.95):
            true, hits = sum(p**k for k in range(1, 6)), 0
            for _ in range(repeats):
                lengths = chains(rng, n, p)
                e = bootstrap_mean([lengths], rng, resamples=1000)
                hits += e.low <= true <= e.high
            yield Line(
                "BCa, average length", f"{n} chains, {100 * p:g} % a subtask", *share(hits, repeats)
            )
    for n in (100, 1000):
        true, hits = sum(0.85**k - 0.8**k for k in range(1, 6)), 0
        for _ in range(repeats):
            luck = rng.random((n, 5))  # both policies meet the same luck: pairs agree
            a, b = (np.cumprod(luck < p, axis=1).sum(axis=1) for p in (0.85, 0.8))
            e = bootstrap_mean([a - b], rng, resamples=2000)
            hits += e.low <= true <= e.high
        yield Line("BCa, paired difference of lengths", f"{n} chains", *share(hits, repeats))


def products(scale: float) -> Iterator[Line]:
    """Coverage of overall = execution x recognition."""
    rng, repeats = generator("products"), round(1500 * scale)
    for n, e, r in ((100, 0.9, 0.5), (100, 0.5, 0.33), (24, 0.7, 0.9), (100, 0.05, 0.4)):
        hits = 0
        for _ in range(repeats):
            executed = int(rng.binomial(n, e))
            recognised = int(rng.binomial(executed, r))
            found = decompose(executed, recognised, n, rng, 1 / 3, draws=2000).overall
            hits += found.low <= e * r <= found.high
        case = f"{n} trials, execution {100 * e:g} %, recognition {100 * r:g} %"
        yield Line("execution x recognition (posterior)", case, *share(hits, repeats))


def correlations(scale: float) -> Iterator[Line]:
    """Coverage of Pearson's r of nine backbones."""
    rng, repeats = generator("correlations"), round(1500 * scale)
    for rho in (0.0, 0.5, 0.8):
        x, e = rng.normal(size=(2, repeats, 9))
        y = rho * x + np.sqrt(1 - rho**2) * e
        r = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)])
        low, high = fisher_interval(r, 9)
        hits = int(np.sum((low <= rho) & (rho <= high)))
        yield Line("Fisher's interval of r, n = 9", f"rho = {rho:g}", *share(hits, repeats))
        hits = 0
        for a, b in zip(x, y, strict=True):
            found = bootstrap_interval(a, b, rng, resamples=1000)
            hits += found.low <= rho <= found.high
        yield Line("bootstrap over backbones (BCa), n = 9", f"rho = {rho:g}", *share(hits, repeats))


def tests(scale: float) -> Iterator[Line]:
    """How often a test of level 5 % rejects although nothing differs; most it may is 5."""
    for n, share_of in ((24, 0.3), (100, 0.3), (500, 0.1)):
        b, c = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        inside = b + c <= n
        chance = _trinomial(b[inside], c[inside], n, share_of / 2)
        for name, mid in (("McNemar, exact", False), ("McNemar, mid-p", True)):
            wrong = float(chance[mcnemar(b[inside], c[inside], mid) <= 0.05].sum())
            yield Line(name, f"{n} pairs, {100 * share_of:g} % discordant", 100 * wrong)
    for n, p in ((15, 0.5), (15, 0.9)):
        chance = np.outer(*[stats.binom.pmf(np.arange(n + 1), n, p)] * 2)
        wrong = sum(
            chance[i, j]
            for i in range(n + 1)
            for j in range(n + 1)
            if rate_test(i, n, j, n).p <= 0.05
        )
        yield Line("Boschloo", f"{n} episodes each, rates {100 * p:g} %", 100 * float(wrong))
    rng, repeats = generator("tests"), round(1000 * scale)
    hits = 0
    for _ in range(repeats):
        a, b = chains(rng, 200, 0.8), chains(rng, 200, 0.8)
        hits += sign_flip([a - b], rng, resamples=2000)[0] <= 0.05
    yield Line("sign flips of chain lengths", "200 pairs", *share(hits, repeats))
    drawn = generator("permutations").normal(size=(round(2000 * scale), 2, 9))
    hits = sum(permutation_test(x, y).p <= 0.05 for x, y in drawn)
    yield Line("permutation of r, n = 9", "no correlation", *share(int(hits), len(drawn)))
    claims = [
        tost_paired_rates(PairedCounts(*map(int, cells)), 0.1).p < 0.05
        for cells in rng.multinomial(200, (0.6, 0.15, 0.05, 0.2), size=round(2000 * scale))
    ]
    yield Line(
        "TOST, paired rates",
        "200 pairs, truly as far apart as the margin",
        *share(sum(claims), len(claims)),
    )


def looking(scale: float) -> Iterator[Line]:
    """How often a comparison of equals that is looked at after every pair is ever decided."""
    rng, repeats = generator("looking"), round(4000 * scale)
    for share_of, n in ((0.1, 500), (0.4, 500), (0.4, 1000)):
        log_e, p = paths(rng, share_of / 2, share_of / 2, n, repeats)
        case = f"{n} pairs, {100 * share_of:g} % discordant"
        yield Line(
            "betting, paired", case, *share(int((log_e >= np.log(20)).any(axis=1).sum()), repeats)
        )
        if n == 500:
            wrong = int((p <= 0.05).any(axis=1).sum())
            yield Line("McNemar after every pair (wrong)", case, *share(wrong, repeats))
    truth, runs, missed = 0.8, round(200 * scale), 0
    for _ in range(runs):
        lengths = chains(rng, 200, truth)
        mean = [sum(truth**k for k in range(1, 6))]
        looks = range(5, 201, 5)
        missed += max(log_capital(lengths[:n], mean, 0, 5)[0] for n in looks) >= np.log(20)
    yield Line("betting interval of a mean, left", "200 chains", *share(missed, runs))
    if installed():
        for p in (0.5, 0.8):
            runs = round(1000 * scale)
            pairs = rng.random((runs, 200, 2)) < p
            wrong = sum(Step(200).winner(some.tolist()) != 0 for some in pairs)
            yield Line(
                "STEP, unpaired", f"200 episodes each, rates {100 * p:g} %", *share(wrong, runs)
            )


def stopping(scale: float) -> Iterator[tuple[str, str, float, float]]:
    """Rule, case, chance of a decision (%), pairs until then on average (the most if none)."""
    rng, repeats, n = generator("stopping"), round(4000 * scale), 200
    for first, second in ((0.15, 0.05), (0.3, 0.1), (0.5, 0.1)):
        log_e, _ = paths(rng, first, second, n, repeats)
        decided = log_e >= np.log(20)
        when = np.where(decided.any(axis=1), decided.argmax(axis=1) + 1, n)
        case = f"only the first in {100 * first:g} %, only the second in {100 * second:g} %"
        yield "betting, paired", case, 100 * float(decided.any(axis=1).mean()), float(when.mean())
        fixed = rng.multinomial(n, (first, second, 1 - first - second), size=repeats)
        found = 100 * float(np.mean(mcnemar(fixed[:, 0], fixed[:, 1]) <= 0.05))
        yield "McNemar once, at the end", case, found, float(n)


def chains(rng: np.random.Generator, n: int, p: float) -> np.ndarray:
    """Lengths (n,) of chains of five subtasks, each done with probability p."""
    return np.cumprod(rng.random((n, 5)) < p, axis=1).sum(axis=1)


def paths(
    rng: np.random.Generator, first: float, second: float, n: int, repeats: int
) -> tuple[np.ndarray, np.ndarray]:
    """(repeats, n): log e of the betting rule and exact p of McNemar after every pair."""
    luck = rng.random((repeats, n))
    b = np.cumsum(luck < first, axis=1)
    c = np.cumsum((luck >= first) & (luck < first + second), axis=1)
    mixture = special.betaln(b + 0.5, c + 0.5) - special.betaln(0.5, 0.5)
    return (b + c) * np.log(2) + mixture, mcnemar(b, c)


def _trinomial(b: np.ndarray, c: np.ndarray, n: int, p: float) -> np.ndarray:
    ways = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(c + 1)
    ways -= special.gammaln(n - b - c + 1)
    return np.exp(ways + (b + c) * np.log(p) + (n - b - c) * np.log1p(-2 * p))


def _percent(chances: tuple[float, ...]) -> str:
    return "/".join(f"{100 * p:g}" for p in chances) + " %"


COVERAGE: dict[str, Callable[[float], Iterator[Line]]] = {
    "One rate (enumerated)": lambda scale: rates(),
    "A suite": stratified,
    "A difference": differences,
    "A mean": means,
    "A product": products,
    "A correlation": correlations,
}


def tables(scale: float = 1.0) -> str:
    """All tables as Markdown."""
    parts = ["### Coverage of 95 % intervals\n"]
    for title, make in COVERAGE.items():
        parts.append(_coverage(title, list(make(scale))))
    parts.append("### Errors at a level of 5 %\n")
    parts.append(_errors("Looked at once", list(tests(scale))))
    parts.append(_errors("Looked at after every pair", list(looking(scale))))
    parts.append("### What a rule saves\n")
    head = "| rule | true difference | decided, % | pairs, of 200 |\n| --- | --- | ---: | ---: |"
    rows = [f"| {r} | {c} | {d:.1f} | {n:.0f} |" for r, c, d, n in stopping(scale)]
    parts.append("\n".join([head, *rows]) + "\n")
    return "\n".join(parts)


def _coverage(title: str, lines: list[Line]) -> str:
    worst = any(line.worst is not None for line in lines)
    head = f"| {title} | case | coverage, % |" + (" least, % |" if worst else "")
    rule = "| --- | --- | ---: |" + (" ---: |" if worst else "")
    rows = []
    for line in lines:
        mark = " *" if abs(line.value - LEVEL) > TOLERANCE else ""
        row = f"| {line.what} | {line.case} | {_value(line)}{mark} |"
        rows.append(row + (f" {line.worst:.1f} |" if line.worst is not None else ""))
    return "\n".join([head, rule, *rows]) + "\n"


def _errors(title: str, lines: list[Line]) -> str:
    head = f"| {title} | case | rejected, % |\n| --- | --- | ---: |"
    return "\n".join([head, *(f"| {ln.what} | {ln.case} | {_value(ln)} |" for ln in lines)]) + "\n"


def _value(line: Line) -> str:
    return f"{line.value:.1f}" + (f" ± {line.error:.1f}" if line.error else "")


def main() -> None:
    """Print the tables, or put them between the marks of a document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="how often, against the document")
    parser.add_argument("--out", type=Path, help="a document with the marks <!-- coverage -->")
    wanted = parser.parse_args()
    text = tables(wanted.scale)
    if wanted.out is None:
        print(text)
        return
    marks = re.compile(r"(<!-- coverage -->\n).*(<!-- /coverage -->)", re.DOTALL)
    wanted.out.write_text(marks.sub(lambda m: f"{m[1]}\n{text}\n{m[2]}", wanted.out.read_text()))


if __name__ == "__main__":
    main()
