"""Memory shared between a host and the policy server."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from tests.rollout.test_policy_server import SPEC, Echo, connect, serving
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.simulator import Observation
from vlm4vla.rollout.arena import LEAST, Arena
from vlm4vla.rollout.wire import Closed, Message, Reader, send


def seen(value, side=128):
    frame = np.full((1, side, side, 3), value, np.uint8)
    return Observation("go", 0, {"top": frame}, np.arange(4.0), {"puck": np.ones(3)})


@pytest.fixture
def pair(tmp_path):
    """A sender's and a receiver's arena, the same memory."""
    ours = Arena.create(str(tmp_path), 1 << 20)
    assert ours is not None
    return ours, Arena.attach(str(tmp_path), ours.name, ours.size)


def test_large_arrays_travel_beside_the_socket_unchanged(pair):
    rng = np.random.default_rng(0)
    sent = [rng.integers(0, 256, (3, 97, 31), np.uint8), rng.normal(size=(2000,))]
    left, right = socket.socketpair()
    with left, right:
        reader = Reader(right)
        reader.arena = pair[1]
        send(left, Message("act", {}, sent), pair[0])
        message = reader.wait(5)
    assert message is not None
    for got, wanted in zip(message.arrays, sent, strict=True):
        assert got.dtype == wanted.dtype and np.array_equal(got, wanted)
    pair[0].put([np.zeros(1 << 20, np.uint8)])
    assert np.array_equal(message.arrays[1], sent[1])  # what was taken out stays


def test_small_and_oversized_messages_use_the_socket(pair):
    left, right = socket.socketpair()
    with left, right:
        reader = Reader(right)  # it knows no arena: an answer through one would be an error
        for size in (LEAST - 1, (1 << 20) + 1):
            array = np.arange(size, dtype=np.uint8)
            send_all(left, Message("act", {}, [array]), pair[0], reader)


def send_all(left, message, arena, reader):
    import threading

    sender = threading.Thread(target=send, args=(left, message, arena))
    sender.start()
    received = reader.wait(5)
    sender.join()
    assert received is not None and np.array_equal(received.arrays[0], message.arrays[0])


def test_memory_that_is_not_shared_is_refused(pair):
    left, right = socket.socketpair()
    with left, right:
        send(left, Message("act", {}, [np.zeros(LEAST, np.uint8)]), pair[0])
        with pytest.raises(Closed, match="not shared"):
            Reader(right).wait(5)


def test_the_server_takes_pictures_out_of_it_and_leaves_no_file():
    kept = []

    class Keeping(Echo):
        def act(self, observations, sessions):
            kept.extend(o.image("top") for o in observations)
            return [
                ActionChunk(np.full((1, 7), float(o.image("top").mean()))) for o in observations
            ]

    with serving(Keeping(SPEC)) as server:
        client = connect(server)
        assert client.act(seen(7)).actions[0, 0] == 7
        assert client.act(seen(9)).actions[0, 0] == 9
        assert client._arena is not None and os.listdir(server.address.arena) == []
        assert client.act(seen(3, side=256)).actions[0, 0] == 3  # a larger one takes its place
        client.close()
    assert [int(image[0, 0, 0]) for image in kept] == [7, 9, 3]
    assert not Path(server.address.arena).exists()


def test_without_room_the_socket_does_it(tmp_path):
    with serving(Echo(SPEC)) as server:
        client = connect(server)
        client._arenas = str(tmp_path / "none")
        assert client.act(seen(5)).actions[0, 1] == 5
        assert client._arena is None
        client.close()
