"""`bench` in this process: what a user types, as a user would see it, without a second Python."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def refused(self, *said: str) -> str:
        """One screen that says these things, no traceback, exit code 2."""
        text = self.out + self.err
        assert self.code == 2, text
        assert "Traceback" not in text and len(text.splitlines()) <= 24, text
        for word in said:
            assert word in text, text
        return text


def bench(*words: object, cwd: Path | None = None, **environment: str) -> Done:
    """`bench WORDS` in the folder `cwd`, with these variables set and no store named otherwise."""
    from vlm4vla.cli.app import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    surroundings = {k: v for k, v in os.environ.items() if k != "VLM4VLA_STORE"} | environment
    with (
        _elsewhere(cwd or Path.cwd(), surroundings, ["bench", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _elsewhere(folder: Path, environment: Mapping[str, str], words: list[str]) -> Iterator[None]:
    """Another folder, environment and command; afterwards all is as it was, the user's modules too.

    Two tests may each have an `own.py`.
    """
    before = Path.cwd(), dict(os.environ), sys.argv, list(sys.path)
    os.chdir(folder)
    _set_environment(environment)
    sys.argv = words
    importlib.invalidate_caches()
    try:
        yield
    finally:
        os.chdir(before[0])
        _set_environment(before[1])
        sys.argv, sys.path[:] = before[2], before[3]
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and Path(file).is_relative_to(folder) and folder != before[0]:
                del sys.modules[name]


def _set_environment(wanted: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
