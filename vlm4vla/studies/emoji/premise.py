"""GrinningFace's premise: can the vision-language model tell the emojis apart before any training?

Three cards of a split, one of which is meant. The paper (Section 4) lets the model describe each
and picks the description nearest to the target's label by CLIP. Here the model itself is asked how
likely the target's label is as the name of each card's picture, and the likeliest card is its
choice: the same three pictures and the same label, without a second model in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlm4vla.core.errors import BadInput
from vlm4vla.core.simulator import Frames
from vlm4vla.simulators.grinningface import art as pictures
from vlm4vla.suites.emojis import labels
from vlm4vla.suites.files import load_file
from vlm4vla.suites.grinningface import episodes

SPLITS = ("id", "train", "val", "hard")
QUESTION = "What is the name of this emoji?"
CARDS = 3
CHANCE = 1 / CARDS

Reader = Callable[[Frames, str], NDArray[np.float64]]
"""Images (3, H, W, 3) and a label -> log likelihood of the label for each, (3,)."""


@dataclass(frozen=True)
class Question:
    """Which of three cards is called `label`?"""

    codes: tuple[str, ...]
    target: int
    label: str


@dataclass(frozen=True)
class Answer:
    """What the model made of a question."""

    question: Question
    scores: tuple[float, ...]
    """Log likelihoods of the label, a card each."""

    @property
    def chosen(self) -> int | None:
        """The likeliest card; None where the model does not prefer one."""
        best = [i for i, score in enumerate(self.scores) if score == max(self.scores)]
        return best[0] if len(best) == 1 else None

    @property
    def correct(self) -> bool:
        """Whether the likeliest card is the one that was meant."""
        return self.chosen == self.question.target


def questions(split: str, count: int = 100, vocabulary: str = "official") -> list[Question]:
    """The cards and targets of the suite `grinningface_SPLIT`, in its order.

    Args:
        split: `id`, `train`, `val` or `hard`.
        count: how many, at least 1.
        vocabulary: `official` names, or the paper's `paligemma` labels (a fetched asset).

    Raises:
        BadInput: no such split, or a count below 1.
        MissingAsset: the labels are not there.
    """
    if split not in SPLITS:
        raise BadInput(f"There is no split '{split}'.", f"Choose of {', '.join(SPLITS)}.")
    if count < 1:
        raise BadInput(f"{count} questions are none.", "--questions 100")
    suite = load_file(f"grinningface_{split}")
    names = labels(vocabulary)
    found = []
    for episode in episodes(suite.name, {**suite.episodes, "count": count}, {}):
        codes = tuple(map(str, episode.setup["emojis"]))  # type: ignore[arg-type]
        target = int(episode.setup["target"])  # type: ignore[arg-type]
        found.append(Question(codes, target, names[codes[target]]))
    return found


def cards(question: Question, art: str = "noto") -> Frames:
    """The three pictures, upright on white, uint8 RGB (3, S, S, 3)."""
    return np.stack([_square(pictures.face(code, art)) for code in question.codes])


def ask(reader: Reader, asked: Sequence[Question], art: str = "noto") -> Iterator[Answer]:
    """The model's answers, as they come.

    Raises:
        MissingAsset: the art lacks a picture.
        MissingDependency: the emoji font is not installed.
    """
    codes = [code for question in asked for code in question.codes]
    if lacking := pictures.missing(sorted(set(codes)), art):
        raise BadInput(f"There is no picture of {lacking[0]}, nor of {len(lacking) - 1} more.")
    for question in asked:
        scores = reader(cards(question, art), question.label)
        if not np.all(np.isfinite(scores)):
            raise BadInput(
                f"The model finds '{question.label}' infinitely unlikely or no number at all.",
                "Check the weights, or ask in float32 on the CPU: --device cpu",
            )
        yield Answer(question, tuple(map(float, scores)))


def _square(face: Frames) -> Frames:
    side = max(face.shape[:2])
    top, left = ((side - length) // 2 for length in face.shape[:2])
    white = np.full((side, side, 3), 255, np.uint8)
    white[top : top + face.shape[0], left : left + face.shape[1]] = face
    return white
