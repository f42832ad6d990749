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
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from tests.golden_simpler import TASKS, Golden
from vlm4vla.simulators.simpler.bridge import world
from vlm4vla.simulators.simpler.view import OverlaidView

IOU, COLOUR = 0.999, 0.3
STAND_INS = {"eggplant"}


def picture(png: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png.tobytes())))


def main(traces: str, images: str, folder: str = "") -> int:
    golden, shown = Golden(np.load(traces)), np.load(images)
    views: dict[str, OverlaidView] = {}
    overlap: defaultdict[str, float] = defaultdict(lambda: 1.0)
    colour: defaultdict[str, float] = defaultdict(float)
    outside = 0
    for name in map(str, shown["index"]):
        task = name.split("/")[0]
        for row in shown[f"{name}/image_step"]:
            made = golden.begin(name, int(row))
            if task not in views:
                views = {task: world.view(made.task, golden.files, golden.urdf)}
            drawn = views[task].draw(made.poses(), made.eye())
            kinds = [made.task.source, made.task.target]
            label = {n: 2 + kinds.index(n) if n in kinds else 1 for n in drawn.names}
            table = np.array([0, *label.values()])
            ours = table[drawn.labels]
            theirs = picture(shown[f"{name}/mask_png_{row:03d}"])
            foreground = picture(shown[f"{name}/fg_png_{row:03d}"]).astype(float)
            for value, what in ((1, "robot"), (2, kinds[0]), (3, kinds[1])):
                if what in STAND_INS or not (theirs == value).any():
                    continue
                both = (ours == value) & (theirs == value)
                union = ((ours == value) | (theirs == value)).sum()
                overlap[f"{TASKS[task]} {what}"] = min(
                    overlap[f"{TASKS[task]} {what}"], both.sum() / union
                )
                off = np.abs(drawn.frame[both] - foreground[both]).mean()
                colour[f"{TASKS[task]} {what}"] = max(colour[f"{TASKS[task]} {what}"], off)
            photo = (ours == 0) & (theirs == 0)
            outside = max(outside, int(np.abs(_photo(made, golden) - drawn.frame)[photo].max()))
            if folder:
                beside = np.where((theirs > 0)[..., None], foreground, drawn.frame * 0.3)
                both_frames = np.hstack([drawn.frame, beside.astype(np.uint8)])
                path = Path(folder) / f"{name.replace('/', '~')}~{row:03d}.png"
                Image.fromarray(both_frames).save(path)
    for what in sorted(overlap):
        fits = overlap[what] >= IOU and colour[what] <= COLOUR
        verdict = "" if fits else "BEYOND"
        print(f"{what:42} IoU {overlap[what]:.4f}  colour {colour[what]:.3f}  {verdict}")
    print(f"photo: differs by at most {outside} grey levels")
    good = min(overlap.values()) >= IOU and max(colour.values()) <= COLOUR and not outside
    return 0 if good else 1


def _photo(made: world.BridgeWorld, golden: Golden) -> np.ndarray:
    path = golden.files.path(f"real_inpainting/{made.task.setting.photo}.png")
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
