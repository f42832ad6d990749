"""Episodes of the GrinningFace emoji task, every number of them drawn from a seed.

Upstream draws cards and target from Python's global `random`, which its `reset(seed)` does not
seed: no two evaluations there see the same cards. Here each episode has its own generator, seeded
from suite seed, split and index, so a manifest never depends on how many episodes are asked for,
on the robot or on the options. Only `random.Random.random()` is used, whose sequence Python
guarantees across versions, and results are rounded to the micrometre, so that no C library's last
digit can change a manifest.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from vlm4vla.core.episode import JSON, Episode, EpisodeKey
from vlm4vla.core.errors import OutOfRange, UnknownName
from vlm4vla.core.options import Bounds, read
from vlm4vla.suites.emojis import Emoji, labels, members

TASK = "pick_place"
MAX_STEPS = 200
CUBE_CENTRE, CUBE_SPREAD = (0.02, 0.70), 0.05
CARD_CENTRES, CARD_SPREAD = ((0.20, 0.90), (0.20, 0.70), (0.20, 0.50)), 0.02
ARM_NOISE = 0.02
"""Metres and radians of the task (GrinningFace env_widowx_v8.py); the noise is the paper's."""

ARM_JOINTS = {"widowx": 6, "panda": 7}
INSTRUCTIONS = {
    "default": "Pick the cube and place it on {label}",
    "paper": "pick the block and place it on {label}",
}
"""The wording of the paper's text, and that of its code."""

DEMOS_SEED, DEMOS_COUNT = 1, 500

Uniform = Callable[[], float]
T = TypeVar("T")


@dataclass(frozen=True)
class _Arguments:
    split: Literal["id", "train", "val", "hard", "all", "demos"]
    count: Annotated[int, Bounds(1, 100_000)] = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split == "demos" and self.seed != DEMOS_SEED:
            raise OutOfRange(
                f"The demonstrations' seed is {DEMOS_SEED}, not {self.seed}: id and train refer "
                "to it.",
                f"Set seed: {DEMOS_SEED} in the suite file.",
            )
        if self.split in ("id", "demos") and self.count > DEMOS_COUNT:
            raise OutOfRange(
                f"count {self.count} is outside 1..{DEMOS_COUNT} for split '{self.split}'."
            )


@dataclass(frozen=True)
class Cards:
    """Three emojis, from the robot's left to its right, and which of them is meant."""

    emojis: tuple[Emoji, Emoji, Emoji]
    target: int

    @property
    def triple(self) -> frozenset[str]:
        """The three as a set: their order makes no new triple."""
        return frozenset(emoji.code for emoji in self.emojis)


def episodes(
    suite: str, arguments: Mapping[str, JSON], options: Mapping[str, JSON]
) -> list[Episode]:
    """The suite's episodes, in order.

    Arguments: `split` (train, val, hard, all, or `id`: the demonstrations' cards with new poses),
    `count`, `seed`. Options that matter here: `robot`, `labels`, `wording`.
    """
    asked = read(_Arguments, arguments, f"the episodes of '{suite}'")
    joints = _chosen("robot", ARM_JOINTS, options, "widowx")
    wording = _chosen("wording", INSTRUCTIONS, options, "default")
    names = labels(str(options.get("labels", "official")))
    return [
        _episode(
            EpisodeKey(suite, TASK, index),
            cards,
            _generator(asked.split, asked.seed, index),
            joints,
            wording.format(label=names[cards.emojis[cards.target].code]),
        )
        for index, cards in enumerate(_cards(asked.split, asked.count, asked.seed))
    ]


def demonstrations() -> list[Cards]:
    """The cards of the 500 training demonstrations."""
    pool = members("train")
    return [
        _draw(pool, _generator("demos-cards", DEMOS_SEED, index)) for index in range(DEMOS_COUNT)
    ]


def _cards(split: str, count: int, seed: int) -> list[Cards]:
    demos = demonstrations()
    if split == "demos":
        return demos[:count]
    if split == "id":
        return [demos[index] for index in _sample(count, len(demos), _generator("id", seed, -1))]
    # Unseen triples of seen emojis: what separates `train` from `id`.
    taken = {cards.triple for cards in demos} if split == "train" else set()
    pool = members(split)
    drawn = []
    for index in range(count):
        uniform = _generator(f"{split}-cards", seed, index)
        cards = _draw(pool, uniform)
        while cards.triple in taken:
            cards = _draw(pool, uniform)
        drawn.append(cards)
    return drawn


def _episode(
    key: EpisodeKey, cards: Cards, uniform: Uniform, joints: int, instruction: str
) -> Episode:
    cube = [_spread(uniform, centre, CUBE_SPREAD) for centre in CUBE_CENTRE]
    places = [[_spread(uniform, c, CARD_SPREAD) for c in centre] for centre in CARD_CENTRES]
    noise = [_normal(uniform, ARM_NOISE) for _ in range(max(ARM_JOINTS.values()))]
    setup: dict[str, JSON] = {
        "emojis": [emoji.code for emoji in cards.emojis],
        "names": [emoji.name for emoji in cards.emojis],
        "target": cards.target,
        "cube_xy": cube,
        "cards_xy": places,
        "arm_noise": noise[:joints],
    }
    return Episode(key, instruction, MAX_STEPS, setup)


def _generator(stream: str, seed: int, index: int) -> Uniform:
    return random.Random(zlib.crc32(f"grinningface/{stream}/{seed}/{index}".encode())).random


def _draw(pool: Sequence[Emoji], uniform: Uniform) -> Cards:
    first, second, third = _sample(3, len(pool), uniform)
    return Cards((pool[first], pool[second], pool[third]), int(uniform() * 3))


def _sample(count: int, size: int, uniform: Uniform) -> list[int]:
    """`count` distinct numbers below `size`: the head of a Fisher-Yates shuffle."""
    order = list(range(size))
    for i in range(count):
        j = i + int(uniform() * (size - i))
        order[i], order[j] = order[j], order[i]
    return order[:count]


def _spread(uniform: Uniform, centre: float, half_width: float) -> float:
    return round(centre + (2 * uniform() - 1) * half_width, 6)


def _normal(uniform: Uniform, deviation: float) -> float:
    """Box and Muller's cosine branch."""
    radius = math.sqrt(-2 * math.log(1 - uniform()))
    return round(deviation * radius * math.cos(2 * math.pi * uniform()), 6)


def _chosen(name: str, table: Mapping[str, T], options: Mapping[str, JSON], default: str) -> T:
    value = str(options.get(name, default))
    UnknownName.check(f"{name} of grinningface", [value], table)
    return table[value]
