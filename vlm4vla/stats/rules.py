"""Rules that stop a comparison: what `bench compare --sequential` asks after every pair."""

from __future__ import annotations

import contextlib
import io
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vlm4vla.stats.sequential import log_capital

Pairs = Sequence[tuple[float, float]]

PACKAGE = "sequentialized_barnard_tests"
STEP_LARGEST = 500
"""STEP's table of decisions is computed beforehand; beyond this it takes too long."""

_SYNTHESIS_S = 3600.0


@dataclass(frozen=True)
class Betting:
    """Paired: an e-process on the differences, which for outcomes are the discordant pairs."""

    alpha: float = 0.05
    span: float = 1.0
    """Greatest possible value less the least."""

    def decided(self, pairs: Pairs) -> bool:
        """Whether the capital has reached 1 / alpha."""
        return self.log_e(pairs) >= math.log(1 / self.alpha)

    def log_e(self, pairs: Pairs) -> float:
        """Logarithm of the evidence so far."""
        if not pairs:
            return 0.0
        values = np.array(pairs)
        differences = values[:, 0] - values[:, 1]
        return float(log_capital(differences, np.zeros(1), -self.span, self.span)[0])

    def facts(self) -> Mapping[str, float | str]:
        """What the store keeps of it."""
        return {"rule": "betting", "alpha": self.alpha, "span": self.span}


class Step:
    """Unpaired: STEP (Snyder et al., RSS 2025), by its authors' package.

    Two streams of outcomes and a number of episodes set beforehand. At equal rates either
    direction is decided with probability alpha / 2 at most. Near its boundary STEP decides by lot;
    the lot's seed is fixed, so the same outcomes give the same decision.
    """

    def __init__(self, largest: int, alpha: float = 0.05) -> None:
        """Have the table of decisions computed, once for each size and level: up to minutes.

        Args:
            largest: episodes of each policy at most.
            alpha: two-sided level.

        Raises:
            ModuleNotFoundError: the package is not installed.
            ValueError: `largest` is above `STEP_LARGEST`.
            RuntimeError: the package could not compute the table.
        """
        if not installed():
            raise ModuleNotFoundError(f"{PACKAGE} is not installed.")
        if not 1 <= largest <= STEP_LARGEST:
            raise ValueError(f"STEP is offered for 1 to {STEP_LARGEST} episodes.")
        self.largest, self.alpha = largest, alpha
        _synthesise(largest, alpha)
        self._test, self._fed, self._winner = _mirrored(largest, alpha), 0, 0

    def decided(self, pairs: Pairs) -> bool:
        """Whether the outcomes, looked at one pair after the other, decide."""
        return self.winner(pairs) != 0

    def winner(self, pairs: Pairs) -> int:
        """1 if the first is better, -1 if the second is, 0 while undecided.

        Args:
            pairs: outcomes, true or false; those of the last call with more behind them.
        """
        for first, second in pairs[self._fed : self.largest]:
            if self._winner:
                break
            self._fed += 1
            with contextlib.redirect_stdout(io.StringIO()):
                decision = self._test.step(int(first), int(second)).decision
            self._winner = {"AcceptAlternative": 1, "AcceptNull": -1}.get(decision.name, 0)
        return self._winner

    def facts(self) -> Mapping[str, float | str]:
        """What the store keeps of it."""
        return {"rule": "STEP", "alpha": self.alpha, "largest": self.largest}


def installed() -> bool:
    """Whether STEP's package is there."""
    return find_spec(PACKAGE) is not None


_MAKE = (
    "import sys; from sequentialized_barnard_tests import Hypothesis, MirroredStepTest; "
    "MirroredStepTest(Hypothesis.P0MoreThanP1, int(sys.argv[1]), float(sys.argv[2]), "
    "inference_mode='ranking')"
)


def _synthesise(largest: int, alpha: float) -> None:
    """Make the package compute its table, in a process of its own: it talks a lot."""
    if _table(largest, alpha).is_file():
        return
    words = [sys.executable, "-c", _MAKE, str(largest), str(alpha)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_SYNTHESIS_S, check=False)
    if not _table(largest, alpha).is_file():
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise RuntimeError(f"STEP's table could not be computed: {' '.join(said)}")


def _table(largest: int, alpha: float) -> Path:
    """Where the package keeps the decisions for `ranking`, which halves the level."""
    spec = find_spec(PACKAGE)
    assert spec is not None and spec.submodule_search_locations
    name = f"n_max_{largest}_alpha_{alpha / 2}_shape_parameter_0.0_pnorm_False"
    return Path(spec.submodule_search_locations[0]) / "policies" / name / "policy_compressed.pkl"


def _mirrored(largest: int, alpha: float) -> Any:
    import sequentialized_barnard_tests as package

    with contextlib.redirect_stdout(io.StringIO()):
        return package.MirroredStepTest(
            package.Hypothesis.P0MoreThanP1,
            largest,
            alpha,
            random_seed=0,
            inference_mode="ranking",
        )
