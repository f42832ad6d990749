"""The process of a simulator host, as its supervisor holds it: one life, from start to kill.

The line between the two carries pickled messages, whatever the two numpys are.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core.errors import MissingEnvironment
from vlm4vla.core.source import copied_source

_TAIL = 4000  # characters of the host's stderr that go into an error text
_LINGER_S = 5.0  # how long a host may take to end once its line is closed
_PICKLE = 4  # what every Python that simulators run in can read
_MAIN = "from vlm4vla.rollout.hosts.host import main; main()"  # not -m: classes must keep a name


@dataclass(frozen=True)
class Interpreter:
    """Another Python than the harness's own, for hosts."""

    python: str
    """Path of the command, not resolved: a virtual environment is known by its own link."""
    source: str
    """Hash of the vlm4vla that hosts must import there; see `vlm4vla.core.source`."""
    mend: str
    """What to type where it cannot be used."""


class Child:
    """A host that was started; it dies with this process's thread."""

    def __init__(self, interpreter: Interpreter | None) -> None:
        """Start one, in the harness's own Python if `interpreter` is None.

        Raises MissingEnvironment or StaleSource.
        """
        python, main, variables = sys.executable, _MAIN, dict(os.environ)
        if interpreter is not None:
            python, variables = interpreter.python, foreign(variables)
            if not Path(python).exists():
                raise MissingEnvironment(f"There is no Python at {python}.", interpreter.mend)
            main = f"{entrance(interpreter.source)}; {main}"
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [python, "-c", main, str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            env={**variables, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # a Ctrl-C in the terminal reaches the driver alone
        )
        theirs.close()
        self.control = Connection(ours.detach())
        self.pid = self._process.pid

    def kill(self) -> None:
        """End it at once, with whatever it started: that outlives a host that crashed."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self.control.close()

    def stack(self) -> str:
        """Where it is stuck while it is silent."""
        self._process.send_signal(signal.SIGUSR1)  # faulthandler answers on stderr
        time.sleep(0.2)
        return self.log_tail()

    def post_mortem(self) -> str:
        """How it ended, now that its end of the line is closed; whoever asks kills it next."""
        try:
            code = self._process.wait(_LINGER_S)
        except subprocess.TimeoutExpired:
            return "The simulator's process closed its line and did not end"
        if code < 0:
            return f"The simulator's process was killed by {signal.Signals(-code).name}"
        return f"The simulator's process ended with exit code {code}"

    def log_tail(self) -> str:
        """The last of what it printed."""
        self._log.flush()
        size = os.fstat(self._log.fileno()).st_size
        start = max(0, size - _TAIL)
        return os.pread(self._log.fileno(), _TAIL, start).decode(errors="replace").strip()


def entrance(source: str) -> str:
    """A Python statement after which `import vlm4vla` finds the copy of this hash."""
    return f"import sys; sys.path.insert(0, {str(copied_source(source))!r})"


def foreign(variables: dict[str, str]) -> dict[str, str]:
    """An environment for another Python: without what tells ours where its modules are."""
    own = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in variables.items() if name not in own}


def send(control: Connection, message: object) -> None:
    """Send what `control.recv()` gives at the other end. Raises OSError where it is gone."""
    buffer = io.BytesIO()
    _Pickler(buffer, _PICKLE).dump(message)
    control.send_bytes(buffer.getbuffer())


class _Pickler(pickle.Pickler):
    """Arrays travel as bytes: how numpy pickles them itself changed from version 1 to 2."""

    def reducer_override(self, value: object) -> Any:
        if type(value) is np.ndarray and not value.dtype.hasobject:
            return _array, (value.dtype.str, value.shape, value.tobytes())
        return NotImplemented


def _array(dtype: str, shape: tuple[int, ...], data: bytes) -> NDArray[np.generic]:
    return np.frombuffer(bytearray(data), dtype).reshape(shape)
