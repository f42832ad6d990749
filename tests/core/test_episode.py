"""Identity and randomness of an episode."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.policy import Session

names = st.text("abcdefgh_", min_size=1, max_size=8)
keys = st.builds(EpisodeKey, names, names, st.integers(0, 999), st.integers(0, 2**31 - 1))


def test_a_key_reads_as_suite_task_init_and_seed():
    assert str(EpisodeKey("toy", "near", 3)) == "toy/near/3"
    assert str(EpisodeKey("toy", "near", 3, 7)) == "toy/near/3@7"


@given(left=keys, right=keys)
def test_keys_that_differ_differ_in_text(left, right):
    assert (str(left) == str(right)) == (left == right)


def test_randomness_is_the_episodes_own_in_every_process():
    key = EpisodeKey("toy", "near", 3, 7)
    here = Session(key).rng.random(4)
    code = (
        "from vlm4vla.core.episode import EpisodeKey; from vlm4vla.core.policy import Session;"
        "print(*Session(EpisodeKey('toy', 'near', 3, 7)).rng.random(4).tolist())"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    np.testing.assert_array_equal([float(word) for word in child.stdout.split()], here)
    others = [
        EpisodeKey("toy", "near", 4, 7),
        EpisodeKey("toy", "near", 3),
        EpisodeKey("t", "n", 3),
    ]
    assert all((Session(other).rng.random(4) != here).any() for other in others)
