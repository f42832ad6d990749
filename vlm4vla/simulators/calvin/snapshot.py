"""What the oracle looks at: the world at one moment, free of the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vlm4vla.core.simulator import Floats

Contact = tuple[int, int]
"""Body and link that touch; link -1 is a body's base."""


@dataclass(frozen=True)
class BlockState:
    """One block. World frame, SI units."""

    uid: int
    position: Floats
    """(3,)."""
    quaternion: Floats
    """(4,) xyzw."""
    linear: Floats
    """(3,) velocity."""
    angular: Floats
    """(3,) velocity."""
    contacts: frozenset[Contact]
    """Everything that touches the block, the robot included."""

    @property
    def bodies(self) -> frozenset[int]:
        """The bodies among its contacts."""
        return frozenset(body for body, _ in self.contacts)


@dataclass(frozen=True)
class Snapshot:
    """The world after an environment step, or after a reset."""

    blocks: Mapping[str, BlockState]
    doors: Mapping[str, float]
    """Joint name -> metres."""
    lights: Mapping[str, int]
    """`lightbulb` and `led` -> 1 where it shines."""
    robot: int
    """The robot's body."""
    touched: frozenset[int]
    """Bodies that the robot touches."""
    table: int
    """The table's body."""
    links: Mapping[str, int]
    """Link name of the table -> index."""

    def surface(self, link: str) -> Contact:
        """The contact with a link of the table."""
        return self.table, self.links[link]

    @property
    def block_bodies(self) -> frozenset[int]:
        """The bodies that are blocks."""
        return frozenset(block.uid for block in self.blocks.values())
