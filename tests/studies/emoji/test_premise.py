"""The emoji premise test: its cards, its questions, and what a reader's likelihoods come to."""

import json

import numpy as np
import pytest

from tests.cli.test_read_verbs import bench
from vlm4vla.core.errors import BadInput
from vlm4vla.studies.emoji.premise import CHANCE, SPLITS, Answer, ask, cards, questions
from vlm4vla.suites.suite import load


def perfect(asked):
    """A reader that knows the pictures by heart."""
    known = {q.codes[q.target]: q.label for q in asked}
    drawn = {
        cards(q)[i].tobytes(): q.codes[i] for q in asked for i in range(3)
    }  # fmt: skip
    return lambda images, label: np.array(
        [0.0 if known.get(drawn[image.tobytes()]) == label else -9.0 for image in images]
    )


@pytest.mark.parametrize("split", SPLITS)
def test_questions_are_the_suites_own_cards(split):
    asked = questions(split, 20)
    suite = load(f"grinningface_{split}")
    assert [list(q.codes) for q in asked] == [e.setup["emojis"] for e in suite.episodes[:20]]
    assert [q.target for q in asked] == [e.setup["target"] for e in suite.episodes[:20]]
    assert all(e.instruction.endswith(q.label) for e, q in zip(suite.episodes, asked, strict=False))
    assert len({q.target for q in asked}) == 3


def test_cards_are_square_white_and_distinct():
    (one, *_) = questions("val", 1)
    shown = cards(one)
    assert shown.dtype == np.uint8 and shown.shape == (3, 187, 187, 3)
    assert (shown[:, 0] == 255).all() and shown.std() > 20
    assert len({image.tobytes() for image in shown}) == 3


def test_a_reader_that_knows_is_always_right_and_a_blind_one_never():
    asked = questions("val", 12)
    assert all(answer.correct for answer in ask(perfect(asked), asked))
    blind = list(ask(lambda images, label: np.zeros(3), asked))
    # No preference is no answer: a constant model does not profit from the order of the cards.
    assert [answer.chosen for answer in blind] == [None] * 12
    assert not any(answer.correct for answer in blind)


def test_a_guess_is_right_once_in_three():
    asked = questions("train", 300)
    generator = np.random.default_rng(0)
    hits = sum(Answer(q, tuple(generator.random(3))).correct for q in asked)
    assert abs(hits / 300 - CHANCE) < 0.09


def test_numbers_that_are_none_are_refused():
    with pytest.raises(BadInput, match="no number"):
        list(ask(lambda images, label: np.array([0.0, np.nan, 1.0]), questions("val", 1)))
    with pytest.raises(BadInput, match="split"):
        questions("test")
    with pytest.raises(BadInput, match="0 questions"):
        questions("val", 0)


def test_bench_vqa_premise_keeps_its_score(tmp_path):
    pytest.importorskip("transformers")
    from tests.models import tiny

    folder = tiny.make("kosmos-2", tmp_path / "tiny")
    store = tmp_path / "bench.db"
    words = ("vqa", "premise", "--backbone", "kosmos-2", "--checkpoint", folder, "--questions", 6)
    (row,) = json.loads(bench(*words, "--split", "val", "--json", "--store", store))
    assert (row["n"], row["chance"], row["model"]) == (6, CHANCE, "tiny")
    assert row["k"] == round(6 * row["value"]) and row["low"] <= row["value"] <= row["high"]
    (kept,) = json.loads(
        bench("vqa", "list", "--benchmark", "emoji premise (val)", "--json", "--store", store)
    )
    assert (kept["origin"], kept["value"], kept["n"]) == ("measured", row["value"], 6)
    assert kept["backbone"] == "kosmos-2"


def test_mistakes_end_with_code_2(tmp_path):
    words = ("vqa", "premise", "--backbone")
    assert "hf download" in bench(*words, "qwen3vl-4b", cwd=tmp_path, code=2)
    assert "Did you mean" in bench(*words, "qwen3vl-4", cwd=tmp_path, code=2)
    assert "holds no PNG" in bench(*words, "kosmos-2", "--art", tmp_path, cwd=tmp_path, code=2)
