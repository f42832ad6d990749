"""Where in the picture a demonstration puts the cube down, read off its actions.

An action says by how much the hand moves, so their sum up to the opening of the gripper says where
it lets go. That place is what the instruction means, and the comparison of patches and words can be
judged by it directly. Judged by the actions alone it hardly learns: a wrong card and a right one
differ by an error that a robust loss forgives.

That reading holds for whole episodes of the emoji task on the Panda, in one chunk from its rest.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vlm4vla.core.errors import BadInput
from vlm4vla.core.simulator import Floats
from vlm4vla.core.specs import ActionSpec
from vlm4vla.demonstrations.samples import Demonstrations
from vlm4vla.simulators.grinningface.words import EYE, FOV, LOOK_AT
from vlm4vla.studies.emoji.path import closed, hand_path

ROBOT = "panda"
"""The robot whose rest is known."""

REST = (-0.05, 0.80)
"""Where the Panda's hand is over the table before the first action, metres. Every episode moves its
joints a little: 8 and 11 mm (x, y; one deviation), about 5 pixels of 448."""
WIDTH = 12.0 / 448
"""Deviation of the wanted map, in sides of the picture: a card is about 90 pixels of 448 wide."""

SHARPER = 3.0
"""How much narrower than `WIDTH` says the maps are to be, in squares of the deviation. A place is
its map's centre of mass: a second card that is half as likely must not pull it off the first.
Of the comparison alone, on held-out demonstrations: sharpened 3 times the centre lies within 35
pixels of the target in 0.84 to 0.88, with 1 in 0.64 to 0.72 (the brightest cell is nearest to it in
0.80 to 0.90)."""


def check_readable(data: Demonstrations) -> None:
    """Refuse demonstrations whose actions `landings` would misread. Raises BadInput.

    What files do not say cannot be refused: another scene or camera than the emoji task's, an arm
    that rests elsewhere than at `REST`, and any robot where a data set names none.
    """
    fix = "bench demos --suite grinningface_demos --set robot=panda --frames 1 --size 448 --out ..."
    if any(tuple(t.pictured) != (0,) for t in data.trajectories):
        raise BadInput(f"{data.name} has pictures of other steps than the first.", fix)
    if data.robot not in (ROBOT, ""):
        raise BadInput(
            f"{data.name} was recorded on '{data.robot}'; where the hand begins is known of the "
            f"{ROBOT} only.",
            fix,
        )
    action = data.action
    if action.control != "delta" or action.frame != "base":
        raise BadInput(
            f"{data.name} holds {action.control} actions in the frame '{action.frame}'; only the "
            "sum of deltas in the base's frame says where the hand is.",
            fix,
        )


def landings(action: ActionSpec, actions: Tensor, mask: Tensor, side: int) -> Tensor:
    """Where the hand last lets go, (N, 2) pixels, column first.

    Args:
        action: the convention of the actions.
        actions: (N, chunk, 7), whole episodes of what `check_readable` lets pass.
        mask: (N, chunk) bool.
        side: of the square pictures, pixels.
    """
    gripped = closed(action, actions) & mask
    last = torch.where(gripped, torch.arange(actions.shape[1]), 0).amax(1)
    moved = hand_path(action, actions)[torch.arange(len(actions)), last, :2].numpy()
    on_table = np.concatenate([moved + np.array(REST), np.zeros((len(moved), 1))], 1)
    return torch.from_numpy(project(on_table, side)).float()


def project(points: Floats, side: int) -> Floats:
    """Where points (N, 3) of the world are in the task's picture, (N, 2) pixels, column first.

    Args:
        points: metres.
        side: of the picture, pixels.
    """
    forward = np.subtract(LOOK_AT, EYE) / np.linalg.norm(np.subtract(LOOK_AT, EYE))
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    away = points - EYE
    focal = side / 2 / np.tan(FOV / 2)
    seen: Floats = side / 2 + focal * np.stack([away @ right, away @ down], 1) / (
        away @ forward
    ).reshape(-1, 1)
    return seen


def wanted_maps(places: Tensor, centres: Tensor, side: int) -> Tensor:
    """Gaussians about `places` (N, 2) at the cells' `centres` (h, w, 2): (N, h, w), each sums to 1.

    Places, centres and `side` in pixels.
    """
    off = (centres[None] - places[:, None, None]).square().sum(-1)
    spread = -off / (2 * (WIDTH * side) ** 2)
    return spread.flatten(1).softmax(1).reshape(spread.shape)


def place_error(maps: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of heat maps (B, K, h, w), before the softmax, with (B, h, w): a scalar."""
    surprise = -(maps / SHARPER).flatten(2).log_softmax(-1)
    return (wanted.flatten(1)[:, None] * surprise).sum(-1).mean()
