"""The policy server over real sockets, in a thread as in the actor."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.rollout.probes import Misbehaving, Wanderer
from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import HarnessFault, PolicyFault
from vlm4vla.core.policy import ActionChunk, Policy
from vlm4vla.core.simulator import Observation
from vlm4vla.rollout.policy_client import PolicyClient
from vlm4vla.rollout.policy_server import PolicyServer
from vlm4vla.rollout.wire import Closed
from vlm4vla.simulators import plugin

SPEC = plugin("toy").describe({})


@contextlib.contextmanager
def serving(policy, **settings):
    server = PolicyServer(policy, 7, node="here", **settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(5)
        assert not thread.is_alive()


def connect(server, init=0, waiting=lambda: None, node="here"):
    client = PolicyClient(server.address, node, waiting)
    client.reset(EpisodeKey("toy", "near", init), True)
    return client


def observation(step=0, value=0):
    frame = np.full((1, 32, 32, 3), value, np.uint8)
    return Observation("go", step, {"top": frame}, np.arange(4.0), {"puck": np.ones(3)})


class Echo(Policy):
    """Answers with what it received, so that a test can see it."""

    def act(self, observations, sessions):
        return [
            ActionChunk(
                np.array(
                    [
                        o.step,
                        o.image("top").mean(),
                        o.proprio[3],
                        o.privileged["puck"][0],
                        s.episode.init,
                        len(o.instruction),
                        len(observations),
                    ]
                )[None]
            )
            for o, s in zip(observations, sessions, strict=True)
        ]


def test_an_observation_arrives_as_it_was_sent():
    with serving(Echo(SPEC)) as server:
        client = connect(server, init=5)
        assert client.act(observation(3, 77)).actions.tolist() == [[3, 77, 3, 1, 5, 2, 1]]
        client.close()


def test_over_tcp_the_token_opens_the_door_and_nothing_else_does():
    with serving(Echo(SPEC), tcp=True) as server:
        assert server.address.port
        client = connect(server, node="another node")
        assert client.act(observation()).actions.shape == (1, 7)
        client.close()
        stranger = replace(server.address, token="guess")
        with pytest.raises(Closed):
            bad = PolicyClient(stranger, "another node", lambda: None)
            bad.reset(EpisodeKey("toy", "near", 0), True)
            bad.act(observation())


class Forgetful(Echo):
    """Cannot begin an episode."""

    def reset(self, sessions):
        raise RuntimeError("what was I to do?")


def test_who_hangs_up_after_a_failed_reset_is_let_go():
    with serving(Forgetful(SPEC)) as server:
        client = connect(server)
        with pytest.raises(PolicyFault, match="what was I to do"):
            client.act(observation())
        client.close()
        deadline = time.monotonic() + 10
        while server._connections and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server._connections == 0
        spent = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - spent < 0.25  # it sleeps: nobody is there


def test_a_server_that_is_gone_is_a_harness_fault():
    with serving(Echo(SPEC)) as server:
        client = connect(server)
    with pytest.raises(HarnessFault):
        client.act(observation())
    with pytest.raises(HarnessFault):
        PolicyClient(server.address, "here", lambda: None)


class Gated(Echo):
    """The first call takes until the gate opens; meanwhile requests pile up."""

    def __init__(self, simulator):
        super().__init__(simulator)
        self.entered, self.gate = threading.Event(), threading.Event()

    def act(self, observations, sessions):
        self.entered.set()
        assert self.gate.wait(20)
        return super().act(observations, sessions)


def ask_together(policy, server, count):
    """One query, then `count - 1` more while it is being answered; each one's answer or fault."""
    clients = [connect(server, init=i) for i in range(count)]
    answers = [None] * count

    def ask(i):
        try:
            answers[i] = clients[i].act(observation()).actions
        except PolicyFault as fault:
            answers[i] = fault

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(count)]
    threads[0].start()
    assert policy.entered.wait(20)
    for thread in threads[1:]:
        thread.start()
    time.sleep(1)
    policy.gate.set()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    return answers


def test_what_waits_is_batched_and_nothing_waits_for_company():
    policy = Gated(SPEC)
    with serving(policy, max_batch=4) as server:
        answers = ask_together(policy, server, 9)
    sizes = [answer[0, 6] for answer in answers]
    assert sizes == [1] + [4] * 8
    assert (server.statistics.queries, server.statistics.largest) == (9, 4)


def test_a_waiting_host_keeps_saying_so():
    calls = []

    class Sleepy(Echo):
        def act(self, observations, sessions):
            time.sleep(2.3)
            return super().act(observations, sessions)

    with serving(Sleepy(SPEC)) as server:
        client = connect(server, waiting=lambda: calls.append(1))
        client.act(observation())
        client.close()
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("how", "words"),
    [("raise", "I was told to"), ("nan", "NaN"), ("shape", r"\(H, 7\)")],
)
def test_a_bad_answer_blames_the_policy_and_spares_the_rest_of_the_batch(how, words):
    with serving(Misbehaving(SPEC, how=how)) as server:
        bad, good = connect(server, init=1), connect(server, init=0)
        with pytest.raises(PolicyFault, match=words):
            bad.act(observation())
        assert good.act(observation()).actions.shape == (8, 7)
        with pytest.raises(PolicyFault, match=words):  # the server lives, the policy is still bad
            bad.act(observation())
        bad.close()
        good.close()


def test_one_bad_observation_in_a_batch_fails_alone():
    class Picky(Gated):
        def act(self, observations, sessions):
            if any(s.episode.init == 2 for s in sessions):
                raise ValueError("not init 2")
            return super().act(observations, sessions)

    policy = Picky(SPEC)
    with serving(policy) as server:
        answers = ask_together(policy, server, 4)
    assert [isinstance(answer, PolicyFault) for answer in answers] == [False, False, True, False]
    assert server.statistics.largest == 3  # it had been in one batch with the others


def test_a_policy_whose_reset_fails_is_reported_once():
    class NoReset(Echo):
        def reset(self, sessions):
            raise RuntimeError("no memory of that")

    with serving(NoReset(SPEC)) as server:
        client = connect(server)
        with pytest.raises(PolicyFault, match="no memory of that"):
            client.act(observation())
        client.close()


def test_a_new_instruction_clears_memory_but_not_the_episodes_randomness():
    with serving(Wanderer(SPEC)) as server:
        key = EpisodeKey("toy", "near", 0)
        client = connect(server)
        first = client.act(observation()).actions
        client.reset(key, False)
        second = client.act(observation()).actions
        client.reset(key, True)
        again = client.act(observation()).actions
        client.close()
    assert not np.array_equal(first, second)  # the generator went on
    assert np.array_equal(first, again)  # a fresh episode starts from its seed


def test_the_socket_and_its_folder_are_gone_afterwards():
    import os

    with serving(Echo(SPEC)) as server:
        path = server.address.path
        assert os.path.exists(path) and len(path) < 100
    assert not os.path.exists(os.path.dirname(path))
