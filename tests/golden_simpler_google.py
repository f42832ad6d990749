"""The Google Robot under upstream's recorded actions: what the checker of the golden traces drives.

python check_google.py golden_public.npz tests.golden_simpler_google:make
"""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from vlm4vla.simulators.simpler.google.cabinet import CABINET
from vlm4vla.simulators.simpler.google.control import PathMemory
from vlm4vla.simulators.simpler.google.files import GoogleFiles
from vlm4vla.simulators.simpler.google.looks import view_of
from vlm4vla.simulators.simpler.google.words import DRAWERS, GoogleSetup
from vlm4vla.simulators.simpler.google.world import GooglePlace, GoogleWorld
from vlm4vla.suites.simpler_google import distractor_places

HALF = np.sqrt(0.5)
QUATS = {
    "lr_switch": (0.0, 0.0, 0.0, 1.0),
    "laid_vertically": (HALF, 0.0, 0.0, HALF),
    "upright": (HALF, HALF, 0.0, 0.0),
}
RULES = {
    "Grasp": "pick",
    "MoveNear": "near",
    "PlaceInto": "place",
    "Open": "open",
    "Close": "close",
}
XY = (((-0.33, 0.04), (-0.33, 0.34), (-0.13, 0.19)), ((-0.13, 0.04), (-0.33, 0.19), (-0.13, 0.34)))


def setup_of(meta: dict) -> GoogleSetup:
    """A recorded trace's environment as an episode's setup."""
    rule = next(of for start, of in RULES.items() if meta["env"].startswith(start))
    names, kwargs = tuple(meta["obj_names"]), meta["env_kwargs"]
    xy = ((0.0, 0.0),) * len(names)
    quats = ((1.0, 0.0, 0.0, 0.0),) * len(names)
    source = target = 0
    if rule == "near":
        xy = XY[meta["obj_init_options"]["episode_id"] % 12 // 6]
        quats = tuple(
            (0.5, 0.5, 0.5, 0.5)
            if "bottle" in n
            else QUATS["upright"]
            if "can" in n
            else (1.0, 0, 0, 0)
            if "apple" in n
            else QUATS["laid_vertically"]
            for n in names
        )
        source, target = names.index(meta["src"]), names.index(meta["tgt"])
    elif names:
        can = meta["obj_init_options"]["init_xy"]
        xy = tuple(map(tuple, (can, *distractor_places(can, len(names) - 1))))
        turned = next((q for name, q in QUATS.items() if kwargs.get(name)), (1.0, 0.0, 0.0, 0.0))
        quats = (turned,) * len(names)
    drawer = next((d for d in ("top", "middle", "bottom") if d in meta["env"].lower()), "")
    return GoogleSetup(
        rule, *meta["robot_xy"], meta["robot_yaw"], tuple(meta["instructions"]),
        models=names, xy=xy, quats=quats,
        source=source, target=target, drawer=drawer,
        station=kwargs.get("station_name", "mk_station"), stage=meta["scene"],
        distractors=len(names) - 1 if rule == "pick" else 0,
        colour="" if (kwargs.get("urdf_version") or "None") == "None" else kwargs["urdf_version"],
        shiny=not kwargs.get("disable_bad_material", False),
        light=kwargs.get("light_mode") or "default",
    )  # fmt: skip


class Replayed:
    """What the checker asks of an environment."""

    def reset(self, meta, init):
        place = None
        if init is not None:
            drawers = np.zeros(0) if init["cab_qpos"] is None else init["cab_qpos"]
            place = GooglePlace(init["qpos"], init["obj"], drawers)
        self.world = GoogleWorld(setup_of(meta), GoogleFiles(), place)
        self.names = meta["obj_names"]
        return self.seen()

    def step(self, action, advance):
        if advance:
            self.world.move_on()
        verdict = self.world.step(action)
        return {**self.seen(), "success": verdict.success, "instruction": self.world.instruction}

    def set_row(self, row):
        drawers = np.zeros(0) if row["cab_qpos"] is None else row["cab_qpos"]
        things = np.reshape(row["obj"], (-1, 7))
        self.world.put(GooglePlace(
            row["qpos"], things, drawers, row["qvel"], np.reshape(row["obj_vel"], (-1, 6)),
            row["cab_qvel"],
        ))  # fmt: skip
        planner = row["planner"]
        self.world.controller.memory = planner and PathMemory(
            planner["path_end"], planner["path_end_vel"], planner["grip_target"],
            planner["grip_end"],
        )  # fmt: skip

    def seen(self):
        state = self.world.state()
        return {
            "qpos": state.qpos, "tcp": state.tcp,
            "obj": dict(zip(self.names, state.things, strict=True)),
            "cab_qpos": state.drawers if len(state.drawers) else None,
        }  # fmt: skip


def make() -> Replayed:
    """A fresh environment."""
    return Replayed()


@dataclass(frozen=True)
class Beside:
    """One thing in one picture, ours beside upstream's."""

    trace: str
    row: int
    thing: str
    overlap: float
    """Intersection over union of its masks."""
    colour: float
    """Largest difference of its mean colour, grey levels."""
    background: int
    """Largest difference of the whole picture's background from the photograph, grey levels."""


def pictures(only: tuple[str, ...] = (), rows: int | None = None, folder: str = "") -> list[Beside]:
    """Compare; with `folder`, write ours there."""
    root = Path(os.environ["VLM4VLA_GOLDEN"]) / "simpler_google"
    golden, images = np.load(root / "golden_public.npz"), np.load(root / "images_public.npz")
    names = sorted(k.removesuffix("/image_step") for k in images if k.endswith("/image_step"))
    found: list[Beside] = []
    for name in names:
        if only and not name.startswith(only):
            continue
        setup, photo = setup_of(json.loads(str(golden[f"{name}/json"]))), _photo(images, name)
        setup = replace(setup, photo=photo)
        view = view_of(setup, GoogleFiles())
        codes = {CABINET + "body": 10} | {
            f"{CABINET}{d}_drawer": 11 + i for i, d in enumerate(DRAWERS)
        }
        codes |= {model: 2 + i for i, model in enumerate(setup.models)}
        for row in images[f"{name}/image_step"][:rows]:
            things = golden[f"{name}/obj"][row] if setup.models else np.zeros((0, 7))
            drawers = golden[f"{name}/cab_qpos"][row] if setup.drawer else np.zeros(0)
            place = GooglePlace(golden[f"{name}/qpos"][row], things, drawers)
            world = GoogleWorld(setup, GoogleFiles(), place)
            drawn = view.draw(world.poses(), world.eye())
            ours = np.array([0, *(codes.get(n, 1) for n in drawn.names)])[drawn.labels]
            theirs, seen = (_png(images[f"{name}/{kind}_png_{row:03d}"]) for kind in ("mask", "fg"))
            off = np.abs(drawn.frame.astype(int) - _blown_up(GoogleFiles().photo(photo)))
            background = int(off[(ours == 0) & (theirs == 0)].max())
            for code in np.unique(theirs[theirs > 0]):
                both = (ours == code) & (theirs == code)
                overlap = both.sum() / ((ours == code) | (theirs == code)).sum()
                colour = np.abs(drawn.frame[both].mean(0) - seen[both].mean(0)).max()
                thing = next((n for n, c in codes.items() if c == code), "robot")
                found.append(Beside(name, int(row), thing, overlap, colour, background))
            if folder:
                Image.fromarray(drawn.frame).save(
                    Path(folder) / f"{name.replace('/', '~')}~{row:03d}.png"
                )
    return found


def _photo(images, name: str) -> str:
    return Path(json.loads(str(images[f"{name}/image_info"]))["overlay"]).stem


def _png(data: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data.tobytes())))


def _blown_up(photo: Path) -> np.ndarray:
    """Upstream's: bilinear, half a pixel from the middle, edges repeated, cut off to integers."""
    small = np.asarray(Image.open(photo).convert("RGB"), float)
    for axis, size in enumerate((512, 640)):
        at = np.clip((np.arange(size) + 0.5) / 2 - 0.5, 0, size // 2 - 1)
        low = np.minimum(at.astype(int), size // 2 - 2)
        share = (at - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        small = small.take(low, axis) * (1 - share) + small.take(low + 1, axis) * share
    return np.floor(small + 1e-9)


if __name__ == "__main__":
    compared = pictures(folder=next(iter(sys.argv[1:]), ""))
    for kind in sorted({one.thing for one in compared}):
        of = [one for one in compared if one.thing == kind]
        overlap, colour = min(o.overlap for o in of), max(o.colour for o in of)
        print(f"{kind:26} IoU {overlap:.4f}  mean colour {colour:.2f}  ({len(of)} pictures)")
    print(f"background: {max(one.background for one in compared)} grey levels at most")
