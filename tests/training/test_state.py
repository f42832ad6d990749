"""What a training finds in its folder when it begins."""

from __future__ import annotations

import os
import resource
import signal

import pytest

from vlm4vla.core.errors import BadInput
from vlm4vla.training import state

IDENTITY = {"data": "d" * 200}


def test_a_training_killed_at_its_first_file_begins_again(tmp_path):
    """The kernel ends the writer in the middle of the file: after a hundred bytes."""
    writer = os.fork()
    if writer == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        state.begin(tmp_path, IDENTITY)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) == -signal.SIGXFSZ
    assert list(tmp_path.iterdir()), "it left something behind"
    assert state.check_folder(tmp_path, IDENTITY) == 0
    state.begin(tmp_path, IDENTITY)
    assert state.check_folder(tmp_path, IDENTITY) == 0


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("...")
    with pytest.raises(BadInput, match="not empty and holds no training"):
        state.check_folder(tmp_path, IDENTITY)
