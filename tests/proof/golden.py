"""What was recorded and how it is compared: bit for bit on the same kind of machine.

An array becomes a mapping with its hash, its norm and its first numbers. Where the processor, torch
or a simulator's software is not what it was at the recording, last bits may differ: hashes are left
out, numbers may differ by `TOLERANCE`, and a warning says so in the output of the tests.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).parent / "fixtures"
TOLERANCE = 1e-4
_HEAD = 24
_HASHED = "sha256"


class WeakerProof(UserWarning):
    """Numbers were compared within a tolerance, not bit for bit."""


def machine() -> dict[str, object]:
    """What decides the last bits of torch's numbers."""
    import torch

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    wanted = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in wanted:
            found.setdefault(name.strip(), value.strip())
    flags = hashlib.sha256(found.pop("flags", "").encode()).hexdigest()[:12]
    return {
        **found,
        "flags": flags,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def digest(array: object, head: int = _HEAD) -> dict[str, object]:
    """An array (or torch tensor) as what is kept of it."""
    if hasattr(array, "detach"):
        array = array.detach().cpu().numpy()
    values = np.ascontiguousarray(array)
    numbers = values.astype(np.float64).ravel()
    return {
        _HASHED: hashlib.sha256(values.tobytes()).hexdigest(),
        "dtype": str(values.dtype),
        "shape": list(values.shape),
        "norm": float(np.sqrt((numbers**2).sum())),
        "head": numbers[:head].tolist(),
    }


def plain(value: object) -> object:
    """JSON of it: arrays as digests, numbers of any kind as Python's."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.generic) or (hasattr(value, "item") and np.ndim(value) == 0):
        return value.item()
    if isinstance(value, np.ndarray) or hasattr(value, "detach"):
        return digest(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def content(value: object) -> str:
    """Hash of anything JSON can say, whatever the order of its names."""
    return hashlib.sha256(json.dumps(_bare(plain(value)), sort_keys=True).encode()).hexdigest()


def _bare(value: object) -> object:
    """Digests as their hashes alone: a norm is a sum, whose last bits are the machine's."""
    if isinstance(value, Mapping):
        if _HASHED in value:
            return [value[_HASHED], value["dtype"], value["shape"]]
        return {key: _bare(item) for key, item in value.items()}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def write(name: str, value: object) -> None:
    """Write the fixture `name`."""
    text = json.dumps(plain(value), indent=0, sort_keys=False)
    (FIXTURES / f"{name}.json.xz").write_bytes(lzma.compress(text.encode(), preset=9))


def read(name: str) -> dict[str, object]:
    """The fixture `name`."""
    return json.loads(lzma.decompress((FIXTURES / f"{name}.json.xz").read_bytes()))


def differences(
    expected: object, found: object, *, exact: bool, more: bool = False, place: str = ""
) -> Iterator[str]:
    """Where `found` is not what was recorded, a line each.

    Args:
        expected: as recorded.
        found: as computed now; made `plain` by the caller.
        exact: bit for bit; otherwise numbers within `TOLERANCE`, and no hashes.
        more: names that were not there before are welcome (a new field of a JSON output).
        place: of these two within the whole.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        lost = [key for key in expected if key not in found]
        new = [key for key in found if key not in expected]
        if lost:
            yield f"{place}: lacks {', '.join(lost)}"
        if new and not more:
            yield f"{place}: new {', '.join(new)}"
        for key in expected:
            if key in found and (exact or key != _HASHED):
                yield from differences(
                    expected[key], found[key], exact=exact, more=more, place=f"{place}/{key}"
                )
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{place}: {len(found)} of {len(expected)} items"
        for number, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from differences(one, other, exact=exact, more=more, place=f"{place}[{number}]")
    elif not _same(expected, found, exact):
        yield f"{place}: {expected!r} at 0.2.0, {found!r} now"


def _same(expected: object, found: object, exact: bool) -> bool:
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    numbers = isinstance(expected, int | float) and isinstance(found, int | float)
    if not numbers:
        return type(expected) is type(found) and expected == found
    if math.isnan(expected) or math.isnan(found):
        return math.isnan(expected) and math.isnan(found)
    if exact:
        return expected == found
    return math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE * 1e-2)


def same_machine(recorded: Mapping[str, object], more: Mapping[str, object] | None = None) -> bool:
    """Whether numbers must agree bit for bit; warns where they need not.

    `more`: facts of this place beside those of `machine`.
    """
    here = {**machine(), **(more or {})}
    other = [
        f"{k}: {recorded.get(k)} / {here.get(k)}" for k in recorded if recorded[k] != here.get(k)
    ]
    if other:
        warnings.warn(
            f"recorded elsewhere, so compared within {TOLERANCE:g} ({'; '.join(other)})",
            WeakerProof,
            stacklevel=2,
        )
    return not other


def check(expected: object, found: object, *, exact: bool, more: bool = False) -> None:
    """Fail with the first differences."""
    lines = list(differences(expected, plain(found), exact=exact, more=more))
    assert not lines, f"{len(lines)} differences:\n" + "\n".join(lines[:20])
