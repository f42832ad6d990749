"""Which emojis the alignment may see: everything that is not, and is not related to, the val list.

The val list (and what `hard` has beyond `train`) stands for things the policy has never seen. So an
emoji is left out here if it is one of them, is called like one, or shares a component with one: a
man astronaut is a man and a rocket, and a skin tone makes no new hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from vlm4vla.core.errors import MissingDependency
from vlm4vla.simulators.grinningface import art
from vlm4vla.suites.emojis import Emoji, emojis

_JOINERS = frozenset({"200D", "FE0F", "20E3", "2640", "2642"})
"""Code points that mean nothing by themselves: joiner, style, keycap, and the signs of gender."""
_SKIN = range(0x1F3FB, 0x1F400)
_LETTERS = range(0x1F1E6, 0x1F200)
"""Regional indicators: flags are pairs of them."""
_ALIKE = 0.98
"""Correlation of two pictures above which they count as the same."""
_THUMB = 24


def held_out() -> tuple[Emoji, ...]:
    """What the alignment must not see: val, and hard beyond train."""
    return tuple(
        emoji
        for emoji in emojis()
        if "val" in emoji.splits or ("hard" in emoji.splits and "train" not in emoji.splits)
    )


def components(code: str) -> frozenset[str]:
    """The code points of an emoji that mean something."""
    return frozenset(
        point for point in code.split("-") if point not in _JOINERS and int(point, 16) not in _SKIN
    )


def related(code: str, name: str) -> bool:
    """Whether this emoji is held out, or shares a component or its name with one that is."""
    hidden, names = _hidden()
    return bool(components(code) & hidden) or name.casefold() in names


@cache
def vocabulary() -> tuple[Emoji, ...]:
    """What the alignment sees, in Unicode's order of code points."""
    left_out = {*_SKIN, *_LETTERS}
    return _drawn_otherwise(
        [
            Emoji(code, name, frozenset())
            for code, name in _unicode()
            if left_out.isdisjoint(int(point, 16) for point in code.split("-"))
            and not related(code, name)
        ]
    )


def _unicode() -> Sequence[tuple[str, str]]:
    """Code and English name of every fully qualified emoji."""
    try:
        import emoji
    except ImportError as error:
        raise MissingDependency(
            "The names of all emojis are missing.", 'pip install "vlm4vla[small]"'
        ) from error
    full = emoji.STATUS["fully_qualified"]
    return sorted(
        (
            "-".join(f"{ord(char):X}" for char in chars),
            str(entry["en"]).strip(":").replace("_", " "),
        )
        for chars, entry in emoji.EMOJI_DATA.items()
        if entry["status"] == full
    )


@cache
def _hidden() -> tuple[frozenset[str], frozenset[str]]:
    hidden = held_out()
    return (
        frozenset().union(*(components(emoji.code) for emoji in hidden)),
        frozenset(emoji.name.casefold() for emoji in hidden),
    )


def _drawn_otherwise(found: Sequence[Emoji]) -> tuple[Emoji, ...]:
    """Without those that the font cannot draw as one picture, or draws like a held-out emoji."""
    drawn = [emoji for emoji in found if _one_glyph(emoji.code)]
    alike = (_pictures(drawn) @ _pictures(held_out()).T).max(1)
    return tuple(emoji for emoji, near in zip(drawn, alike, strict=True) if near < _ALIKE)


def _pictures(of: Sequence[Emoji]) -> NDArray[np.float64]:
    """Thumbnails (N, pixels), centred and of length 1: their products are correlations."""
    faces = [Image.fromarray(art.face(emoji.code, "noto")) for emoji in of]
    thumbs = [np.asarray(face.resize((_THUMB, _THUMB)), np.float64).ravel() for face in faces]
    flat = np.stack(thumbs)
    flat -= flat.mean(1, keepdims=True)
    normed: NDArray[np.float64] = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return normed


def _one_glyph(code: str) -> bool:
    """Whether the font has a picture for the whole sequence, and not one for each part."""
    font = ImageFont.truetype(str(art.font_file()), art.STRIKE)
    box = font.getbbox("".join(chr(int(point, 16)) for point in code.split("-")))
    return 0 < box[2] - box[0] < 1.5 * art.STRIKE and not art.missing([code], "noto")
