"""What is still to be done."""
from __future__ import annotations
import numpy as np
from vlm4vla.core.simulator import Floats
from vlm4vla.simulators.libero.world import TaskWorld

def aims(world: TaskWorld) -> Floats:
    """Placeholder."""
    return np.zeros((0, 0))
