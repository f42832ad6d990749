"""What is printed on the cards: emoji pictures, laid out as upstream lays them out.

Upstream pastes a 160-pixel picture on a white canvas so that it falls on the top face of SAPIEN's
box, whose texture coordinates are a cross of 4 x 3 cells. Its pictures (Apple's) are not published;
ours are drawn from Noto Color Emoji (SIL Open Font Licence), or taken from a folder of PNGs.
"""

from __future__ import annotations

import hashlib
import struct
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vlm4vla.core.errors import MissingAsset, MissingDependency
from vlm4vla.core.simulator import Frames

PICTURE = 160
"""Pixels of the emoji's square (upstream)."""
FACE = (187, 165)
"""Width and height, pixels, of the part of upstream's canvas that a card's top face shows."""
PLACE = (13, 0)
"""Where the picture's upper left corner lies on it."""
STRIKE = 109
"""The one size, in pixels, that Noto Color Emoji's bitmaps have."""

_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_FONT = "NotoColorEmoji.ttf"
_FONT_FIX = "apt-get install fonts-noto-color-emoji   (or set option art to a folder of PNGs)"


def face(code: str, art: str) -> Frames:
    """The top of a card, upright, (165, 187, 3) uint8 RGB.

    `code` is the emoji's code points (`1F600`, joined with `-`), `art` is `noto` or a folder.
    """
    picture = (_drawn(code) if art == "noto" else _read(code, art)).convert("RGBA")
    picture = picture.resize((PICTURE, PICTURE), Image.Resampling.LANCZOS)
    card = Image.new("RGB", FACE, "white")
    card.paste(picture, PLACE, mask=picture.getchannel("A"))
    return np.asarray(card, np.uint8)


def version(art: str) -> str:
    """What identifies the pictures: the font's revision and hash, or the folder's content hash.

    Raises MissingDependency or MissingAsset if they are not there.
    """
    if art == "noto":
        font = font_file()
        return f"Noto Color Emoji {_revision(font)} sha256 {_digest([font])}"
    pictures = sorted(_folder(art).glob("*.png"))
    if not pictures:
        raise MissingAsset(f"Folder {art} holds no PNG.", "Name the files by code point: 1F600.png")
    return f"folder sha256 {_digest(pictures)}"


def missing(codes: list[str], art: str) -> list[str]:
    """Those of `codes` that there is no picture of."""
    if art != "noto":
        return [code for code in codes if not (_folder(art) / f"{code}.png").is_file()]
    return [code for code in codes if _drawn(code).getbbox() is None]


@cache
def font_file() -> Path:
    """Where Noto Color Emoji is installed; MissingDependency if it is not."""
    for folder in _FONT_FOLDERS:
        found = sorted(Path(folder).expanduser().rglob(_FONT))
        if found:
            return found[0]
    raise MissingDependency("The font Noto Color Emoji is not installed.", _FONT_FIX)


def _drawn(code: str) -> Image.Image:
    """The emoji cut out of the font, square, transparent around it."""
    text = "".join(chr(int(point, 16)) for point in code.split("-"))
    font = ImageFont.truetype(str(font_file()), STRIKE)
    left, top, right, bottom = font.getbbox(text)
    size = round(max(right - left, bottom - top))
    image = Image.new("RGBA", (size, size), (255, 255, 255, 0))
    corner = ((size - right + left) / 2 - left, (size - bottom + top) / 2 - top)
    ImageDraw.Draw(image).text(corner, text, font=font, embedded_color=True)
    return image


def _read(code: str, art: str) -> Image.Image:
    path = _folder(art) / f"{code}.png"
    if not path.is_file():
        raise MissingAsset(f"There is no picture {path}.", f"Add {code}.png, or set art to noto.")
    return Image.open(path)


def _folder(art: str) -> Path:
    folder = Path(art).expanduser()
    if not folder.is_dir():
        raise MissingAsset(f"There is no folder of emoji pictures at {folder}.", "Set art to noto.")
    return folder


@cache
def _revision(font: Path) -> str:
    """`fontRevision` of the file's `head` table (OpenType specification)."""
    data = font.read_bytes()
    for index in range(struct.unpack_from(">H", data, 4)[0]):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, 12 + 16 * index)
        if tag == b"head":
            return f"{cast(int, struct.unpack_from('>i', data, offset + 4)[0]) / 65536:.3f}"
    return "unknown"


def _digest(files: list[Path]) -> str:
    content = hashlib.sha256()
    for file in files:
        content.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return content.hexdigest()[:12]
