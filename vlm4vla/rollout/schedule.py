"""Which episode a free slot runs next. Pure bookkeeping: no process, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from vlm4vla.core.episode import Episode


@dataclass
class LongestFirst:
    """Dynamic hand-out: longest expected first, a slot stays on the task it has loaded.

    Keeping a host on its task saves loading; handing out long episodes first keeps the last slot
    from starting one when the others are done.
    """

    pending: dict[str, list[Episode]] = field(default_factory=dict)
    """Task -> its episodes, shortest first (they are taken from the end)."""

    @classmethod
    def of(cls, episodes: Iterable[Episode]) -> LongestFirst:
        """Everything still to run."""
        schedule = cls()
        for episode in episodes:
            schedule.pending.setdefault(episode.key.task, []).append(episode)
        for group in schedule.pending.values():
            group.sort(key=lambda e: (e.max_steps, -e.key.init))
        return schedule

    def __len__(self) -> int:
        """How many episodes wait."""
        return sum(map(len, self.pending.values()))

    def take(self, loaded: str | None) -> Episode | None:
        """The next episode for a slot that has task `loaded` in its host."""
        if not self.pending:
            return None
        task = loaded if loaded is not None and loaded in self.pending else self._heaviest()
        episode = self.pending[task].pop()
        if not self.pending[task]:
            del self.pending[task]
        return episode

    def put_back(self, episode: Episode) -> None:
        """Run it again, after the others of its task: it may be what kills hosts."""
        self.pending.setdefault(episode.key.task, []).insert(0, episode)

    def _heaviest(self) -> str:
        """The task with the most steps left to run."""
        return max(self.pending, key=lambda t: (sum(e.max_steps for e in self.pending[t]), t))


class Ordered:
    """Hand-out in a fixed order, no further than a horizon: for two policies kept side by side."""

    def __init__(self, episodes: Iterable[tuple[int, Episode]]) -> None:
        """`episodes` come with their place in the order; nothing is handed out yet."""
        self._waiting = deque(sorted(episodes, key=lambda pair: pair[0]))
        self._again: deque[Episode] = deque()
        self.horizon = 0
        """Episodes whose place lies below it may be handed out."""

    def __len__(self) -> int:
        """How many episodes wait."""
        return len(self._waiting) + len(self._again)

    def take(self, loaded: str | None) -> Episode | None:
        """The next episode, or None if it lies beyond the horizon; what failed comes first."""
        if self._again:
            return self._again.popleft()
        if not self._waiting or self._waiting[0][0] >= self.horizon:
            return None
        return self._waiting.popleft()[1]

    def put_back(self, episode: Episode) -> None:
        """Run it again at once: what comes after it in the order waits for it."""
        self._again.append(episode)

    def close(self) -> None:
        """Hand out nothing new. What was begun is still brought to its end."""
        self._waiting.clear()
