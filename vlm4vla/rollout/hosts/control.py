"""The line between a supervisor and its host: pickled messages, whatever the two numpys are."""

from __future__ import annotations

import io
import pickle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PROTOCOL = 4


def send(control: Connection, message: object) -> None:
    """Send what `control.recv()` gives at the other end. Raises OSError where it is gone."""
    buffer = io.BytesIO()
    _Pickler(buffer, _PROTOCOL).dump(message)
    control.send_bytes(buffer.getbuffer())


class _Pickler(pickle.Pickler):
    """Arrays travel as bytes: how numpy pickles them itself changed from version 1 to 2."""

    def reducer_override(self, value: object) -> Any:
        if type(value) is np.ndarray and not value.dtype.hasobject:
            return _array, (value.dtype.str, value.shape, value.tobytes())
        return NotImplemented


def _array(dtype: str, shape: tuple[int, ...], data: bytes) -> NDArray[np.generic]:
    return np.frombuffer(bytearray(data), dtype).reshape(shape)
