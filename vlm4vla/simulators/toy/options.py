"""How the toy can be set up, and made to fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from vlm4vla.core.errors import BadInput
from vlm4vla.core.options import Bounds


@dataclass(frozen=True)
class ToyOptions:
    """The world's faults and its pace."""

    fault: Literal["none", "raise-once", "raise", "hang", "exit", "leak"] = "none"
    fault_inits: str = ""
    """The inits that fail, e.g. `3,7`."""
    fault_memory: str = ""
    """Folder in which `raise-once` remembers across processes."""
    step_ms: Annotated[float, Bounds(0, 60_000)] = 0.0
    """What one step pretends to cost."""

    def __post_init__(self) -> None:
        """Refuse inits that are no numbers, and a folder that is not there. Raises BadInput."""
        inits = self.fault_inits
        if inits and not all(part.strip().isdigit() for part in inits.split(",")):
            raise BadInput(f"fault_inits '{inits}' is not a list of numbers like 3,7.")
        if self.fault_memory and not Path(self.fault_memory).is_dir():
            raise BadInput(
                f"fault_memory '{self.fault_memory}' is not a folder.",
                f"mkdir -p {self.fault_memory}",
            )
