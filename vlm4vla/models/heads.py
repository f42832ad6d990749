"""The action head: a multilayer perceptron with an arm branch and a gripper branch."""

from __future__ import annotations

from torch import Tensor, nn

from vlm4vla.models.config import ARM

_TRUNK = 1024
_BRANCH = (1024, 512, 256)


class PolicyHead(nn.Module):
    """VLM4VLA's FCDecoder (appendix, Table 9; `base_policy.py` of its code).

    hidden -> hidden/2 -> 1024, then two branches 1024 -> 1024 -> 512 -> 256 -> out with ReLU
    between. Xavier-uniform weights, zero biases.
    """

    def __init__(self, hidden_size: int, chunk: int) -> None:
        """`chunk` actions are predicted in one shot."""
        super().__init__()
        self.chunk = chunk
        self.trunk = nn.Sequential(
            nn.Linear(hidden_size, hidden_size // 2),
            nn.ReLU(),
            nn.Linear(hidden_size // 2, _TRUNK),
        )
        self.arm = _branch(chunk * ARM)
        self.gripper = _branch(chunk)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(B, hidden) -> arm (B, chunk, 6) in [-1, 1], gripper logits (B, chunk), open > 0."""
        shared = self.trunk(hidden)
        arm: Tensor = self.arm(shared).tanh()
        gripper: Tensor = self.gripper(shared)
        return arm.reshape(-1, self.chunk, ARM), gripper


def _branch(out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = _TRUNK
    for following in _BRANCH:
        layers += [nn.Linear(width, following), nn.ReLU()]
        width = following
    return nn.Sequential(*layers, nn.Linear(width, out))
