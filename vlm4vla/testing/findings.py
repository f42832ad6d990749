"""Rules that were broken, collected until all have been tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vlm4vla.core.errors import BenchError


class BrokenContract(BenchError):
    """Rules that a simulator or a policy breaks, a line each."""

    def __init__(self, what: str, broken: Sequence[str]) -> None:
        """`broken` says of each rule what was seen instead."""
        self.broken = tuple(broken)
        lines = "".join(f"\n  - {line}" for line in broken)
        super().__init__(f"{what} breaks {len(broken)} of the contract's rules:{lines}")


class Findings:
    """What does not hold."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self.broken: list[str] = []

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note `otherwise` unless the rule holds."""
        if not holds and otherwise not in self.broken:
            self.broken.append(otherwise)

    def refuses(self, what: str, call: Callable[[], object], kind: type[BenchError]) -> None:
        """The call must raise `kind`."""
        try:
            call()
        except kind:
            return
        except Exception as error:
            self.expect(False, f"{what} raises {type(error).__name__}, not {kind.__name__}")
        else:
            self.expect(False, f"{what} raises nothing; {kind.__name__} is due")

    def close(self, what: str) -> None:
        """Raise BrokenContract where anything was noted."""
        if self.broken:
            raise BrokenContract(what, self.broken)


def equal(left: object, right: object) -> bool:
    """Whether two results are the same to the last bit, whatever arrays they hold."""
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        same = (left.dtype, left.shape) == (right.dtype, right.shape)
        return same and left.tobytes() == right.tobytes()
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right) or (left != left and right != right)  # two NaN are the same


UNHEARD_OF = "no_such_option_anywhere"
"""An option that nobody has: it must be refused."""
