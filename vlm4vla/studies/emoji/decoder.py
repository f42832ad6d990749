"""The small VLA's decoder: VLM4VLA's head, judged by the path of the hand too, and by the place."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from vlm4vla.core.options import check_ranges
from vlm4vla.models.contracts import Conventions, Needs
from vlm4vla.models.decoders.config import MLPConfig
from vlm4vla.models.decoders.decoder import ActionDecoder
from vlm4vla.models.decoders.mlp import MLPDecoder, masked_mean
from vlm4vla.models.reading import States, Targets
from vlm4vla.studies.emoji.landing import place_error
from vlm4vla.studies.emoji.path import PATH_UNIT, path_error, robust

LANDED = "landed"
"""Of `Targets.more`: (B, h, w), where in the picture the cube is put down."""


@dataclass(frozen=True, kw_only=True)
class PathConfig(MLPConfig):
    """Weights of the losses beside the arm's."""

    kind: str = "emoji-path"
    gripper_loss_weight: float = 0.1
    path_weight: float = 0.05
    """Of the path: the sum of all translations so far, hence where the hand is."""
    place_weight: float = 0.0
    """Of the place where the cube is put down, found by the words."""

    def __post_init__(self) -> None:
        """See DecoderConfig."""
        super().__post_init__()
        weight = (0, 100)
        check_ranges(self, gripper_loss_weight=weight, path_weight=weight, place_weight=weight)

    @property
    def needs(self) -> Needs:
        """For the place, the backbone's heat maps, of which the last see the words."""
        return Needs(expert=self.place_weight > 0)

    def build(self, width: int, conventions: Conventions) -> ActionDecoder:
        """See DecoderConfig."""
        return PathDecoder(self, width, conventions)


class PathDecoder(MLPDecoder):
    """VLM4VLA's losses on the normalised chunk and the gripper; path and place are ours.

    An error that repeats adds up over the chunk, so the distance of the hand from where the
    demonstration had it counts too. So does the place, for a network that nothing aligned: the heat
    maps that compare picture and words are to lie where the hand lets go.
    """

    def __init__(self, config: PathConfig, width: int, conventions: Conventions) -> None:
        """Fresh weights for states of that width."""
        super().__init__(
            width, conventions, config.chunk, gripper_loss_weight=config.gripper_loss_weight
        )
        self._weights, self._conventions = config, conventions

    def loss(self, states: States, targets: Targets) -> dict[str, Tensor]:
        """`loss`, `arm`, `gripper`, `path` and, where it has a weight, `place`."""
        weights, kept = self._weights, targets.mask.float()
        arm, logits = self(states.last)
        wanted, opens = self.normaliser.encode(targets.actions)
        arm_loss = masked_mean(functional.huber_loss(arm, wanted, reduction="none").mean(-1), kept)
        gripper = functional.binary_cross_entropy_with_logits(logits, opens, reduction="none")
        off = path_error(self._conventions, arm - wanted, kept) / PATH_UNIT
        path = masked_mean(robust(off).mean(-1), kept)
        gripper_loss = masked_mean(gripper, kept)
        total = arm_loss + weights.gripper_loss_weight * gripper_loss + weights.path_weight * path
        found = {"loss": total, "arm": arm_loss, "gripper": gripper_loss, "path": path}
        if weights.place_weight:
            found["place"] = place_error(states.layers[-1], targets.more[LANDED])
            found["loss"] = total + weights.place_weight * found["place"]
        return found
