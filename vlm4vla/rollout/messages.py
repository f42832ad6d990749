"""What a simulator host and a policy server say to each other, written and read here alone.

A host begins with `hello`. Then, for each episode or new instruction, it sends `reset`, which is
answered only if it fails, and for each query `act`, whose answer is a `chunk` or an `error`.
`arena` names memory that both share, through which the arrays after it may go.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from vlm4vla.core.episode import JSON, EpisodeKey
from vlm4vla.core.errors import PolicyFault
from vlm4vla.core.policy import ActionChunk
from vlm4vla.core.simulator import Observation
from vlm4vla.rollout.arena import Arena
from vlm4vla.rollout.wire import Array, Message

PROTOCOL = 2
"""Of both ends, which may run in two Pythons; another one is refused."""

_ENDLESS = -1
"""The number of a chunk after which the policy does not end the episode."""


def hello(token: str) -> Message:
    """The first message; `token` is the run's secret."""
    return Message("hello", {"token": token, "protocol": PROTOCOL})


def read_hello(message: Message) -> tuple[str, bool]:
    """The secret that a `hello` shows, and whether whoever said it speaks this protocol."""
    return str(message.fields["token"]), message.fields["protocol"] == PROTOCOL


def reset(key: EpisodeKey, fresh: bool) -> Message:
    """A new episode (`fresh`) or a new instruction begins."""
    return Message("reset", {"key": [key.suite, key.task, key.init, key.seed], "fresh": fresh})


def read_reset(message: Message) -> tuple[EpisodeKey, bool]:
    """The episode of a `reset`, and whether it is a new one."""
    suite, task, init, seed = cast(tuple[str, str, int, int], message.fields["key"])
    return EpisodeKey(suite, task, init, seed), bool(message.fields["fresh"])


def arena(shared: Arena) -> Message:
    """From now on large arrays lie there."""
    return Message("arena", {"name": shared.name, "size": shared.size})


def attach(message: Message, folder: str) -> Arena:
    """The memory that an `arena` names. Raises OSError or ValueError where it cannot be used."""
    return Arena.attach(folder, str(message.fields["name"]), int(str(message.fields["size"])))


def act(observation: Observation) -> Message:
    """A query. Its number is the step, so that from step to step the header stays the same."""
    arrays: list[Array] = [*observation.images.values()]
    if observation.proprio is not None:
        arrays.append(observation.proprio)
    arrays += observation.privileged.values()
    fields: dict[str, JSON] = {
        "instruction": observation.instruction,
        "cameras": list(observation.images),
        "proprio": observation.proprio is not None,
        "privileged": list(observation.privileged),
    }
    return Message("act", fields, arrays, observation.step)


def read_act(message: Message) -> Observation:
    """The observation of an `act`."""
    fields, arrays = message.fields, list(message.arrays)
    images = {name: arrays.pop(0) for name in cast(list[str], fields["cameras"])}
    proprio = arrays.pop(0) if fields["proprio"] else None
    truth = {name: arrays.pop(0) for name in cast(list[str], fields["privileged"])}
    return Observation(str(fields["instruction"]), message.number, images, proprio, truth)


def chunk(actions: Array, terminate_after: int | None) -> Message:
    """The answer to a query: (H, A) float64."""
    after = _ENDLESS if terminate_after is None else terminate_after
    return Message("chunk", arrays=[actions], number=after)


def error(text: str) -> Message:
    """The answer where the policy failed."""
    return Message("error", {"text": text})


def read_answer(message: Message) -> ActionChunk:
    """The chunk that was answered. Raises PolicyFault with the policy's own words."""
    if message.kind == "error":
        raise PolicyFault(str(message.fields["text"]))
    actions = np.asarray(message.arrays[0], np.float64)
    return ActionChunk(actions, None if message.number == _ENDLESS else message.number)
