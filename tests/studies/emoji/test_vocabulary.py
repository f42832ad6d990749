"""No val emoji, label or picture enters the alignment."""

from __future__ import annotations

import numpy as np
import pytest

from vlm4vla.studies.emoji import vocabulary as v
from vlm4vla.suites.emojis import members


@pytest.fixture(scope="module")
def aligned():
    return v.vocabulary()


def test_no_val_code_point_is_in_it(aligned):
    val = set().union(*(v.components(emoji.code) for emoji in members("val")))
    assert len(val) >= 100
    assert not [emoji.name for emoji in aligned if v.components(emoji.code) & val]


def test_no_val_name_is_in_it(aligned):
    names = {emoji.name.casefold() for emoji in members("val")}
    assert not {emoji.name.casefold() for emoji in aligned} & names


def test_no_val_picture_is_in_it(aligned):
    """Pixel for pixel, at the size it has on the card, and not merely by name."""
    from vlm4vla.simulators.grinningface import art

    ours = {art.face(emoji.code, "noto").tobytes() for emoji in aligned}
    assert not [e.name for e in members("val") if art.face(e.code, "noto").tobytes() in ours]


def test_hard_is_in_it_only_where_the_demonstrations_show_it(aligned):
    train = {emoji.code for emoji in members("train")}
    hard = {emoji.code for emoji in members("hard")}
    assert not ({emoji.code for emoji in aligned} & hard) - train


def test_it_is_large_and_holds_what_is_trained_on(aligned):
    codes = {emoji.code for emoji in aligned}
    assert len(codes) > 1200
    assert len(codes & {emoji.code for emoji in members("train")}) > 80


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1F47D", "alien"),  # on the val list
        ("1F44D-1F3FD", "thumbs up: medium skin tone"),  # a val emoji with a skin tone
        ("1F34B-200D-1F7E9", "ALIEN"),  # a val emoji's name
        ("1F37D-200D-1F525", "anything on fire"),  # fire is on the val list
    ],
)
def test_relatives_of_val_are_recognised(code, name):
    assert v.related(code, name)


def test_a_picture_like_a_val_one_would_be_dropped():
    """The same picture under another code is caught by its pixels alone."""
    val = members("val")[0]
    disguised = [v.Emoji(val.code, "something else", frozenset())]
    assert v._drawn_otherwise(disguised) == ()


def test_the_pictures_correlation_is_one_for_equal_and_low_for_different():
    pictures = v._pictures(members("val")[:5])
    products = pictures @ pictures.T
    assert np.allclose(np.diag(products), 1)
    assert products[~np.eye(5, dtype=bool)].max() < 0.98
