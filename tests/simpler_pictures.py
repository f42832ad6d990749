"""Upstream's Bridge pictures (SAPIEN 2.2.2, `ibl`) beside ours, from the same recorded states.

    python -m tests.simpler_pictures $VLM4VLA_GOLDEN/simpler/golden_public.npz \
        $VLM4VLA_GOLDEN/simpler/images_public.npz [FOLDER]

Prints, for each thing, the least overlap of masks and the largest mean absolute difference of
colours;
exits 0 only where masks agree to 0.999 and colours to 0.3 grey levels. The eggplant's own colour
and outline do not count: upstream's traces were drawn with a stand-in, and so is ours. With FOLDER,
pictures are written side by side.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from PIL import Image

from tests.golden_simpler import TASKS, Golden
from vlm4vla.simulators.simpler.bridge import world
from vlm4vla.simulators.simpler.view import OverlaidView

IOU, COLOUR = 0.999, 0.3
STAND_INS = {"eggplant"}


def picture(png: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png.tobytes())))


@dataclass
class Found:
    """Of each thing the least overlap and the largest difference of colour; of the photo too."""

    overlap: dict[str, float] = field(default_factory=dict)
    colour: dict[str, float] = field(default_factory=dict)
    photo: int = 0

    @property
    def within(self) -> bool:
        least, most = min(self.overlap.values()), max(self.colour.values())
        return least >= IOU and most <= COLOUR and not self.photo


def compare(
    golden: Golden, shown: NpzFile, names: Sequence[str], rows: int | None = None, folder: str = ""
) -> Found:
    """The pictures of these traces, or the first `rows` of each."""
    found, views = Found(), dict[str, OverlaidView]()
    for name in names:
        task = name.split("/")[0]
        for row in map(int, shown[f"{name}/image_step"][:rows]):
            made = golden.begin(name, row)
            if task not in views:
                views = {task: world.view(made.task, golden.files, golden.urdf)}
            drawn = views[task].draw(made.poses(), made.eye())
            things = [made.task.source, made.task.target]
            table = [0, *(2 + things.index(n) if n in things else 1 for n in drawn.names)]
            ours = np.array(table)[drawn.labels]
            theirs = picture(shown[f"{name}/mask_png_{row:03d}"])
            foreground = picture(shown[f"{name}/fg_png_{row:03d}"]).astype(float)
            for value, what in enumerate(["robot", *things], 1):
                if what in STAND_INS or not (theirs == value).any():
                    continue
                both = (ours == value) & (theirs == value)
                share = both.sum() / ((ours == value) | (theirs == value)).sum()
                off = float(np.abs(drawn.frame[both] - foreground[both]).mean())
                thing = f"{TASKS[task]} {what}"
                found.overlap[thing] = min(found.overlap.get(thing, 1.0), float(share))
                found.colour[thing] = max(found.colour.get(thing, 0.0), off)
            behind = (ours == 0) & (theirs == 0)
            off_photo = np.abs(_photo(made, golden) - drawn.frame)[behind].max()
            found.photo = max(found.photo, int(off_photo))
            if folder:
                beside = np.where((theirs > 0)[..., None], foreground, drawn.frame * 0.3)
                pair = np.hstack([drawn.frame, beside.astype(np.uint8)])
                Image.fromarray(pair).save(Path(folder) / f"{name.replace('/', '~')}~{row:03d}.png")
    return found


def main(traces: str, images: str, folder: str = "") -> int:
    shown = np.load(images)
    found = compare(Golden(np.load(traces)), shown, list(map(str, shown["index"])), None, folder)
    for what in sorted(found.overlap):
        print(f"{what:42} IoU {found.overlap[what]:.4f}  colour {found.colour[what]:.3f}")
    print(f"photo: differs by at most {found.photo} grey levels")
    return 0 if found.within else 1


def _photo(made: world.BridgeWorld, golden: Golden) -> np.ndarray:
    path = golden.files.path(f"real_inpainting/{made.task.setting.photo}.png")
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
