"""Manifests of the emoji suites: pinned, bounded, and related to each other as the paper has it."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict

import emoji
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlm4vla.core.assets import locate
from vlm4vla.core.errors import BadInput
from vlm4vla.suites.emojis import emojis, labels, members
from vlm4vla.suites.grinningface import ARM_JOINTS, demonstrations, episodes
from vlm4vla.suites.suite import load

SUITES = ("id", "train", "val", "hard", "demos")
PINNED = {
    ("id", "widowx"): "81d70f7ebc77e877",
    ("id", "panda"): "ccda516961a6f1de",
    ("train", "widowx"): "209da09d6c7ab43e",
    ("train", "panda"): "207ab6b9dce8803a",
    ("val", "widowx"): "045b8004f09b1ebe",
    ("val", "panda"): "97b779dc7efa0928",
    ("hard", "widowx"): "8ec01055045a989a",
    ("hard", "panda"): "b1aa7737839af179",
    ("demos", "widowx"): "9e99d2c787e67ee7",
    ("demos", "panda"): "e54ee1fedad9794d",
}


def _digest(suite: str, robot: str) -> str:
    listed = [asdict(e) for e in load(f"grinningface_{suite}", overrides={"robot": robot}).episodes]
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("robot", ARM_JOINTS)
def test_manifest_is_pinned(suite: str, robot: str) -> None:
    assert _digest(suite, robot) == PINNED[suite, robot]


@pytest.mark.parametrize(
    ("suite", "count"), [("id", 100), ("train", 100), ("val", 100), ("hard", 100), ("demos", 500)]
)
def test_counts_and_keys(suite: str, count: int) -> None:
    loaded = load(f"grinningface_{suite}")
    assert [e.key.init for e in loaded.episodes] == list(range(count))
    assert {e.key.task for e in loaded.episodes} == {"pick_place"}
    assert loaded.options["robot"] == "widowx"


def test_splits_have_the_papers_sizes() -> None:
    sizes = {split: len(members(split)) for split in ("all", "train", "val", "hard")}
    assert sizes == {"all": 328, "train": 100, "val": 100, "hard": 213}
    assert not set(members("train")) & set(members("val"))
    rows = emojis()
    assert members("train") == rows[0:200:2]
    assert members("val") == rows[1:200:2]


@pytest.mark.assets
@pytest.mark.parametrize("split", ["all", "train", "val", "hard"])
def test_membership_and_names_equal_the_published_lists(split: str) -> None:
    path = locate("grinningface", "paligemma_labels") / f"meta_relabel_dedup_{split}.json"
    published = json.loads(path.read_text(encoding="utf-8"))
    ours = [("".join(chr(int(p, 16)) for p in e.code.split("-")), e.name) for e in members(split)]
    assert ours == [(entry["char"], entry["desc"]) for entry in published]


def test_names_are_unicodes() -> None:
    renamed = {"direct hit", "laptop computer", "pistol", "minus sign"}  # since Emoji 11
    for each in emojis():
        char = "".join(chr(int(point, 16)) for point in each.code.split("-"))
        known = emoji.EMOJI_DATA.get(char) or emoji.EMOJI_DATA[char + "\ufe0f"]
        name = known["en"].strip(":").replace("_", " ")
        assert (name == each.name) != (each.name in renamed), each
    assert len({each.name for each in emojis()}) == 328


def test_id_reuses_demonstrations_with_new_poses() -> None:
    demos = load("grinningface_demos").episodes
    by_cards = {(tuple(e.setup["emojis"]), e.setup["target"]): e for e in demos}
    chosen = load("grinningface_id").episodes
    assert len({tuple(e.setup["emojis"]) for e in chosen}) >= 99
    for episode in chosen:
        twin = by_cards[tuple(episode.setup["emojis"]), episode.setup["target"]]
        assert twin.instruction == episode.instruction
        assert twin.setup["cube_xy"] != episode.setup["cube_xy"]
        assert twin.setup["cards_xy"] != episode.setup["cards_xy"]


def test_train_excludes_the_triples_of_the_demonstrations() -> None:
    seen = {cards.triple for cards in demonstrations()}
    assert len(demonstrations()) == 500
    # One free draw in 323 would repeat one of the 500: five thousand draws put it to the test.
    many = episodes("s", {"split": "train", "seed": 5, "count": 5000}, {})
    for listed in (load("grinningface_train").episodes, many):
        assert not {frozenset(e.setup["emojis"]) for e in listed} & seen
    pool = {e.code for e in members("train")}
    assert all(set(e.setup["emojis"]) <= pool for e in many)


@pytest.mark.parametrize("suite", SUITES)
def test_targets_are_balanced(suite: str) -> None:
    loaded = load(f"grinningface_{suite}").episodes
    counts = Counter(e.setup["target"] for e in loaded)
    # Four standard deviations of a fair three-sided die.
    slack = 4 * math.sqrt(len(loaded) * 2 / 9)
    assert set(counts) == {0, 1, 2}
    assert all(abs(count - len(loaded) / 3) <= slack for count in counts.values())


@settings(max_examples=40)
@given(
    split=st.sampled_from(["id", "train", "val", "hard", "all"]),
    seed=st.integers(0, 2**31),
    count=st.integers(1, 12),
    robot=st.sampled_from(list(ARM_JOINTS)),
)
def test_every_manifest_stays_within_the_task(
    split: str, seed: int, count: int, robot: str
) -> None:
    arguments = {"split": split, "seed": seed, "count": count}
    listed = episodes("s", arguments, {"robot": robot})
    pool = {e.code: e.name for e in members("train" if split == "id" else split)}
    assert len(listed) == count
    for episode in listed:
        setup = episode.setup
        assert len(set(setup["emojis"])) == 3 and set(setup["emojis"]) <= set(pool)
        assert episode.instruction.endswith(pool[setup["emojis"][setup["target"]]])
        assert abs(setup["cube_xy"][0] - 0.02) <= 0.05 and abs(setup["cube_xy"][1] - 0.7) <= 0.05
        for (x, y), nominal in zip(setup["cards_xy"], (0.9, 0.7, 0.5), strict=True):
            assert abs(x - 0.2) <= 0.02 and abs(y - nominal) <= 0.02
        assert len(setup["arm_noise"]) == ARM_JOINTS[robot]
        assert json.loads(json.dumps(setup)) == setup
    assert episodes("s", arguments | {"count": count + 3}, {"robot": robot})[:count] == listed


def test_robots_share_cards_and_poses() -> None:
    widowx = load("grinningface_val").episodes
    panda = load("grinningface_val", overrides={"robot": "panda"}).episodes
    for one, other in zip(widowx, panda, strict=True):
        assert one.key == other.key
        assert dict(one.setup) | {"arm_noise": 0} == dict(other.setup) | {"arm_noise": 0}
        assert one.setup["arm_noise"] == other.setup["arm_noise"][:6]


def test_arm_noise_has_the_papers_spread() -> None:
    noise = [v for e in load("grinningface_demos").episodes for v in e.setup["arm_noise"]]
    mean = sum(noise) / len(noise)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in noise) / len(noise))
    assert abs(mean) < 4 * 0.02 / math.sqrt(len(noise))
    assert deviation == pytest.approx(0.02, rel=0.06)


@pytest.mark.assets
def test_paper_protocol_speaks_as_the_published_code() -> None:
    plain, paper = load("grinningface_val"), load("grinningface_val", "paper")
    words = labels("paligemma")
    assert sum(words[e.code] != e.name for e in emojis()) == 154
    for one, other in zip(plain.episodes, paper.episodes, strict=True):
        assert one.setup == other.setup
        label = words[one.setup["emojis"][one.setup["target"]]]
        assert other.instruction == f"pick the block and place it on {label}"
        assert one.instruction.startswith("Pick the cube and place it on ")


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ({"split": "vall"}, {}),
        ({"split": "val", "cuont": 3}, {}),
        ({"split": "val", "count": 0}, {}),
        ({"split": "id", "count": 501}, {}),
        ({"split": "demos", "seed": 2}, {}),
        ({"split": "val", "count": "many"}, {}),
        ({"split": "val"}, {"robot": "widow"}),
        ({"split": "val"}, {"labels": "qwen"}),
        ({"split": "val"}, {"wording": "polite"}),
    ],
)
def test_bad_input_is_named(arguments: dict, options: dict) -> None:
    with pytest.raises(BadInput) as caught:
        episodes("s", {"count": 2, **arguments}, options)
    wrong = next(str(v) for v in (*options.values(), *arguments.values()) if v not in ("val", "id"))
    assert (
        wrong in str(caught.value) or "cuont" in str(caught.value) or "demos" in arguments["split"]
    )
