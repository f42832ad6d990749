"""A stored run's actions, played again as a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlm4vla.core.episode import EpisodeKey
from vlm4vla.core.errors import BadInput, StoreError
from vlm4vla.core.options import read
from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import INSTRUCTED_AT, Observation
from vlm4vla.core.specs import PolicySpec, SimulatorSpec
from vlm4vla.store import Store


@dataclass(frozen=True)
class ReplayOptions:
    """The `--policy-option` keys of `replay`."""

    run: str = ""
    """Whose actions: a stored run's id, or its beginning or end."""
    store: str = ""
    """Where it is stored, if not where new runs are."""


class ReplayPolicy(Policy):
    """`--policy replay --policy-option run=RUN [--policy-option store=FILE]`.

    Every episode gets the actions that the run stored for the same key, so the outcomes must agree.
    """

    known_options = ReplayOptions

    def __init__(self, simulator: SimulatorSpec, **options: str) -> None:
        """Open the store. Raises UnknownName for a run it does not hold."""
        super().__init__(simulator, **options)
        chosen = read(ReplayOptions, options, "policy 'replay'")
        self._store = _open(chosen)
        self._run = self._store.run(chosen.run).id
        self._declared = {
            row.key: row.measures.get(INSTRUCTED_AT) for row in self._store.episodes(self._run)
        }

    @classmethod
    def describe(cls, simulator: SimulatorSpec, **options: str) -> PolicySpec:
        """Blind: it needs no observation."""
        chosen = read(ReplayOptions, options, "policy 'replay'")
        if not chosen.run:
            raise BadInput("replay needs a run.", "Add --policy-option run=RUN (bench list runs).")
        with _open(chosen) as store:
            return PolicySpec(simulator.action, checkpoint=f"run {store.run(chosen.run).id}")

    def act(
        self, observations: Sequence[Observation], sessions: Sequence[Session]
    ) -> list[ActionChunk]:
        """All that is left of the stored actions, or left of them under this instruction."""
        return [self._rest(o.step, s.episode) for o, s in zip(observations, sessions, strict=True)]

    def _rest(self, step: int, episode: EpisodeKey) -> ActionChunk:
        rest = self._store.actions(self._run, episode)[step:]
        declared = self._declared.get(episode)
        if declared is not None and declared >= step:
            rest = rest[: int(declared) + 1 - step]
        return ActionChunk(rest, terminate_after=len(rest))

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def _open(options: ReplayOptions) -> Store:
    try:
        return Store.open(options.store or None)
    except StoreError as error:
        fix = "Say which store holds the run: --policy-option store=FILE"
        raise StoreError(error.message, fix) from error
