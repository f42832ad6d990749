"""The closed form of the alignment, on numbers made for it, and its geometry on a real picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vlm4vla.core.errors import OutOfRange
from vlm4vla.studies.emoji import alignment as a
from vlm4vla.studies.emoji.network.fusion import COLOURS, SHARED, Alignment


def _made_up(rng, emojis=120, channels=COLOURS + 12, width=80, cards=3):
    """Patches that are a linear function of their sentence, with noise."""
    sentences = a._unit(rng.normal(size=(emojis, width)).astype(np.float32))
    mixing = rng.normal(size=(width, channels)).astype(np.float32)
    shown = np.repeat(np.arange(emojis), cards)
    features = sentences[shown] @ mixing + 0.1 * rng.normal(size=(len(shown), channels))
    beside = 0.1 * rng.normal(size=(200, channels))
    return sentences, a.Patches(
        np.concatenate([features, beside]).astype(np.float32),
        np.concatenate([shown, np.full(200, -1)]),
        np.concatenate([np.arange(len(shown)), np.full(200, -1)]),
    )


def test_it_finds_a_linear_relation_on_emojis_it_was_not_fitted_on(monkeypatch):
    monkeypatch.setattr(a, "RIDGE", 1.0)
    rng = np.random.default_rng(0)
    sentences, patches = _made_up(rng)
    held = np.arange(len(sentences)) % 10 == 0
    layer = a.fit(patches, sentences, ~held)
    assert a.three_way(patches, layer, sentences, held, 0, 500) > 0.9
    shuffled = sentences[rng.permutation(len(sentences))]
    wrong = a.fit(patches, shuffled, ~held)
    assert a.three_way(patches, wrong, shuffled, held, 0, 500) < 0.6


def test_what_is_held_out_of_a_fit_leaves_no_trace_in_it(monkeypatch):
    """Weights and statistics are the same bit for bit whatever the left-out emojis are like."""
    rng = np.random.default_rng(1)
    sentences, patches = _made_up(rng)
    held = np.arange(len(sentences)) < 12
    before = a.fit(patches, sentences, ~held)
    out = (patches.emojis >= 0) & (patches.emojis < 12)
    features = np.where(out[:, None], np.float32(7), patches.features)
    others = a.Patches(features, patches.emojis, patches.cards)
    changed = np.where(held[:, None], a._unit(rng.normal(size=sentences.shape)), sentences)
    after = a.fit(others, changed.astype(np.float32), ~held)
    assert all(
        np.array_equal(x, y)
        for x, y in zip(vars(before).values(), vars(after).values(), strict=True)
    )


def test_the_network_computes_what_was_fitted():
    rng = np.random.default_rng(2)
    sentences, patches = _made_up(rng)
    layer = a.fit(patches, sentences)
    align = Alignment(patches.features.shape[1] - COLOURS, sentences.shape[1])
    layer.write(align)
    grid = torch.from_numpy(patches.features[:6]).reshape(1, 2, 3, -1)
    with torch.no_grad():
        by_angle = align(grid, torch.from_numpy(sentences[:1]))[0, 0].flatten().numpy()
    assert np.allclose(by_angle, layer.seen(patches.features[:6]) @ layer.named(sentences[:1])[0],
                       atol=1e-5)  # fmt: skip
    assert layer.basis.shape == (SHARED, sentences.shape[1])


def test_every_emoji_is_shown_as_often_as_asked_for():
    triples = a._triples(100, 3, 0)
    counts = np.bincount(np.ravel(triples), minlength=100)
    assert counts.min() >= 3
    assert all(len(set(triple)) == 3 for triple in triples)


def test_views_out_of_range_are_refused(tmp_path):
    with pytest.raises(OutOfRange):
        a.align(tmp_path, views=0)


@pytest.mark.grinningface
def test_cards_are_where_the_projection_says():
    """White cards change the picture where they are said to be, and nowhere far from there."""
    from vlm4vla.suites.emojis import members

    emojis = members("train")[:6]
    (first, places), (second, again) = (next(a._render([emojis[k : k + 3]], 0, 0)) for k in (0, 3))
    assert np.array_equal(places, again)
    changed = np.argwhere(np.abs(first.astype(int) - second.astype(int)).max(-1) > 40)[:, ::-1]
    distance = np.linalg.norm(changed[:, None] - places, axis=-1)
    assert len(changed) > 500
    assert distance.min(1).max() < 45
    assert all((distance.argmin(1) == card).any() for card in range(3))
