"""What joins picture and sentence: places in the picture, read by a small transformer.

Five hundred demonstrations cannot teach a large transformer where things are, so the network is
given a strong prior: it may only look at *places*. A heat map over the picture becomes the place
where its mass lies (spatial softmax: Finn et al. 2016). Some maps see the picture alone (the cube,
the fingers); the others compare every patch with the instruction. No other path leads from the
instruction to the action, so an instruction never heard can only act through what it resembles.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

SHARED = 64
"""Dimensions in which patches and sentences are compared. Chosen by three-way choices on emojis
held out of the alignment, when a patch had its 576 features and no colours: 0.833, and 0.831 with
all 384. With the colours (684), measured after the choice, 384 are a little better at three draws
of what is held out: 0.859, 0.841, 0.837, against 0.846, 0.833, 0.821 with 64."""

COLOURS = 6 * 6 * 3
"""Numbers that say how a patch is coloured: 3 in each of 6 x 6 cells of stride 8."""


class Alignment(nn.Module):
    """Patches and sentences in one space, where they are compared.

    A patch is a 3 x 3 neighbourhood of the feature map: its mean, and how it is coloured. One
    linear layer carries patches over, one sentences. The alignment stage sets both; from scratch
    they are learned with the rest.
    """

    middle: Tensor
    """Mean sentence; what all instructions share says nothing about which card is meant."""

    def __init__(self, channels: int, width: int, shared: int = SHARED) -> None:
        """Widths of the feature map, of a sentence, and of the space they share."""
        super().__init__()
        self.patch = nn.Linear(channels + COLOURS, shared)
        self.sentence = nn.Linear(width, shared, bias=False)
        self.register_buffer("middle", torch.zeros(width))

    @staticmethod
    def neighbourhoods(features: Tensor, pixels: Tensor) -> Tensor:
        """What is in each 3 x 3 neighbourhood of the feature map: (B, h, w, C + 108).

        Args:
            features: (B, C, h, w) of stride 16; their mean is taken.
            pixels: (B, 3, H, W), the standardised picture; its colours are taken cell by cell.
        """
        height, width = features.shape[-2:]
        mean = functional.avg_pool2d(features, 3, 1, 1, count_include_pad=False)
        cells = functional.adaptive_avg_pool2d(pixels, (2 * height, 2 * width))
        colours = functional.unfold(cells, 6, padding=2, stride=2)
        colours = colours.reshape(len(cells), COLOURS, height, width)
        return torch.cat([mean, colours], 1).permute(0, 2, 3, 1)

    def forward(self, patches: Tensor, sentence: Tensor) -> Tensor:
        """How well each patch fits the sentence: (B, 2, h, w), by angle and by projection.

        Args:
            patches: (B, h, w, C + 108) from `neighbourhoods`.
            sentence: (B, width), of length 1.
        """
        seen = self.patch(patches).float()
        wanted = functional.normalize(sentence.float() - self.middle, dim=-1)
        wanted = functional.normalize(self.sentence(wanted).float(), dim=-1)
        projection = torch.einsum("bhwd,bd->bhw", seen, wanted)
        length = seen.norm(dim=-1).clamp(min=1e-6)
        return torch.stack([projection / length, projection], 1)


def places(maps: Tensor) -> Tensor:
    """Heat maps (B, K, h, w) to their centres of mass, (B, K, 2) in [-1, 1], column first.

    Softmax over all places, then the mean place.
    """
    height, width = maps.shape[-2:]
    mass = maps.float().flatten(2).softmax(-1).reshape(maps.shape)
    rows = torch.linspace(-1, 1, height, device=maps.device)
    columns = torch.linspace(-1, 1, width, device=maps.device)
    return torch.stack([(mass.sum(2) * columns).sum(-1), (mass.sum(3) * rows).sum(-1)], -1)


class Fusion(nn.Module):
    """Places as tokens, the ActionQuery behind them, a few transformer layers."""

    def __init__(
        self, channels: int, hidden: int, seen: int, meant: int, layers: int, heads: int
    ) -> None:
        """Channels of the feature map; width of the transformer, its layers and attention heads.

        `seen` places are found in the picture alone, `meant` with the instruction.
        """
        super().__init__()
        self.look = nn.Sequential(
            norm := nn.BatchNorm2d(channels),
            nn.Conv2d(channels, 64, 1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            last := nn.Conv2d(64, seen + meant, 1),
        )
        nn.init.normal_(last.weight, std=0.3)
        self._channels = [norm]  # in a list: `look` owns its weights
        self.match = nn.Conv2d(2, meant, 1, bias=False)
        nn.init.constant_(self.match.weight, 10.0)
        self.seen = seen
        count = seen + meant
        self.embed = nn.Parameter(torch.randn(count, 2, hidden) * 0.5)
        self.names = nn.Parameter(torch.randn(count, hidden) * 0.5)
        layer = nn.TransformerEncoderLayer(
            hidden, heads, 2 * hidden, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(hidden)

    @property
    def channels(self) -> nn.BatchNorm2d:
        """The norm that weighs the feature map's channels."""
        return self._channels[0]

    def maps(self, features: Tensor, fit: Tensor) -> tuple[Tensor, Tensor]:
        """Heat maps, before the softmax: (B, seen, 2h, 2w), and with the words (B, meant, h, w).

        Args:
            features: (B, C, 2h, 2w).
            fit: (B, 2, h, w) from Alignment.
        """
        maps = self.look(features)
        cards = functional.adaptive_avg_pool2d(maps[:, self.seen :], (fit.shape[-2], fit.shape[-1]))
        return maps[:, : self.seen], cards.float() + self.match(fit).float()

    def act(self, seen: Tensor, meant: Tensor, query: Tensor) -> Tensor:
        """From heat maps to (B, hidden) at the ActionQuery (hidden,)."""
        centres = torch.cat([places(seen), places(meant)], 1)
        tokens = torch.einsum("bkc,kch->bkh", centres, self.embed) + self.names
        tokens = torch.cat([tokens, query.expand(len(tokens), 1, -1)], 1)
        return cast(Tensor, self.norm(self.transformer(tokens)[:, -1]))
