"""Messages over real sockets."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vlm4vla.rollout.wire import Closed, Message, Reader, send

ARRAYS = st.lists(
    st.sampled_from([np.uint8, np.float32, np.float64]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
    ),
    max_size=4,
)
FIELDS = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20)
)


@given(st.text(min_size=1, max_size=10), FIELDS, ARRAYS)
def test_what_is_sent_is_received(kind, fields, sent):
    left, right = socket.socketpair()
    with left, right:
        send(left, Message(kind, fields, sent))
        message = Reader(right).wait(5)
    assert message is not None
    assert (message.kind, message.fields) == (kind, fields)
    assert len(message.arrays) == len(sent)
    for got, wanted in zip(message.arrays, sent, strict=True):
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        assert got.tobytes() == np.ascontiguousarray(wanted).tobytes()


def test_a_message_larger_than_every_kernel_buffer_arrives_whole():
    frame = np.random.default_rng(0).integers(0, 256, (1, 2000, 2000, 3), np.uint8)
    left, right = socket.socketpair()
    with left, right:
        sender = threading.Thread(target=send, args=(left, Message("act", {}, [frame])))
        sender.start()
        message = Reader(right).wait(10)
        sender.join()
    assert message is not None and np.array_equal(message.arrays[0], frame)


def test_poll_gives_nothing_until_the_last_byte_is_there():
    left, right = socket.socketpair()
    with left, right:
        reader = Reader(right)
        spy, tap = socket.socketpair()
        send(spy, Message("chunk", {"after": None}, [np.arange(6.0)]))
        data = tap.recv(10_000)
        for byte in range(len(data) - 1):
            left.send(data[byte : byte + 1])
            assert reader.poll() is None
        left.send(data[-1:])
        message = reader.poll()
        spy.close()
        tap.close()
    assert message is not None and message.arrays[0].tolist() == [0, 1, 2, 3, 4, 5]


def test_two_messages_in_one_read_stay_two():
    left, right = socket.socketpair()
    with left, right:
        send(left, Message("one"))
        send(left, Message("two"))
        reader = Reader(right)
        assert [reader.wait(1).kind, reader.wait(1).kind] == ["one", "two"]
        assert reader.poll() is None


def test_a_closed_peer_is_an_error_at_both_ends():
    left, right = socket.socketpair()
    right.close()
    with pytest.raises(Closed):
        Reader(left).wait(1)
    with pytest.raises(Closed):
        for _ in range(3):
            send(left, Message("act", {}, [np.zeros(100_000)]))
    left.close()


def test_a_stranger_is_recognised_by_an_absurd_length():
    left, right = socket.socketpair()
    with left, right:
        left.send(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(Closed, match="does not speak"):
            Reader(right).wait(1)


def test_wait_gives_up_after_its_time():
    left, right = socket.socketpair()
    with left, right:
        reader = Reader(right)
        assert reader.wait(0.05) is None
        send(left, Message("prompt"))
        send(left, Message("prompt"))
        assert [reader.wait(1).kind, reader.wait(1).kind] == ["prompt", "prompt"]
        for _ in range(2):  # after prompt answers it waits awake at first
            began = time.monotonic()
            assert reader.wait(0.05) is None
            assert time.monotonic() - began >= 0.05
