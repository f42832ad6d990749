"""The emojis of the GrinningFace task: which there are, what they are called, which split is whose.

The membership is that of the lists published with the paper (zhangchuheng123/GrinningFace@14d1d37):
`train` takes the even rows of the list of 328, `val` the odd ones, a hundred each; `hard` overlaps
both. Names are the Unicode CLDR short names of Emoji 11, the release the lists were drawn from
(four have changed since: laptop, bullseye, water pistol, minus).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from vlm4vla.core.assets import locate
from vlm4vla.core.errors import InvalidFile, UnknownName

Split = Literal["train", "val", "hard", "all"]
Vocabulary = Literal["official", "paligemma"]

_TABLE = Path(__file__).with_name("emojis.csv")


@dataclass(frozen=True)
class Emoji:
    """One emoji."""

    code: str
    """Its code points in upper-case hexadecimal, joined with `-`; also the name of its PNG."""
    name: str
    splits: frozenset[str]


@cache
def emojis() -> tuple[Emoji, ...]:
    """All of them, in the order of the table."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        Emoji(
            code=row["code_points"].replace(" ", "-"),
            name=row["name"],
            splits=frozenset({"all", row["split"], "hard" if row["hard"] == "1" else ""} - {""}),
        )
        for row in rows
    )


def members(split: str) -> tuple[Emoji, ...]:
    """The emojis of `train`, `val`, `hard` or `all`, in the order of the table."""
    UnknownName.check("emoji split", [split], get_args(Split))
    return tuple(emoji for emoji in emojis() if split in emoji.splits)


def labels(vocabulary: str) -> Mapping[str, str]:
    """Emoji code -> what an instruction calls it.

    `official` is the Unicode name. `paligemma` is the paper's relabelled vocabulary, read from a
    fetched asset; raises MissingAsset where that is absent.
    """
    if vocabulary == "official":
        return {emoji.code: emoji.name for emoji in emojis()}
    if vocabulary == "paligemma":
        return _paligemma()
    raise UnknownName("label vocabulary", vocabulary, get_args(Vocabulary))


@cache
def _paligemma() -> Mapping[str, str]:
    path = locate("grinningface", "paligemma_labels") / "meta_relabel_dedup_all.json"
    found = {
        "-".join(f"{ord(char):X}" for char in entry["char"]): str(entry["paligemma_label"])
        for entry in json.loads(path.read_text(encoding="utf-8"))
    }
    missing = [emoji.name for emoji in emojis() if emoji.code not in found]
    if missing:
        raise InvalidFile(f"{path} has no label for '{missing[0]}' (and {len(missing) - 1} more).")
    return found
