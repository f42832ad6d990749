"""The emoji task's expert, slow enough to be killed while it acts."""

from __future__ import annotations

import time
from collections.abc import Sequence

from vlm4vla.core.policy import ActionChunk, Session
from vlm4vla.core.simulator import Observation
from vlm4vla.simulators.grinningface.expert import Expert


class SlowExpert(Expert):
    """A few milliseconds a query: an episode takes half a second."""

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        time.sleep(0.012)
        return super().act(observations, sessions)
