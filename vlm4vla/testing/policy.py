"""The policy contract, rule by rule, over real episodes of a suite."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

import numpy as np

from vlm4vla.core.convert import check
from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.core.policy import ActionChunk, Policy, Session
from vlm4vla.core.simulator import Observation
from vlm4vla.core.specs import PolicySpec
from vlm4vla.policies.registry import policy_class
from vlm4vla.rollout.episode_loop import LoopConfig, run_episode
from vlm4vla.rollout.execution import Execution
from vlm4vla.simulators.registry import plugin, preflight
from vlm4vla.suites.suite import Suite, load
from vlm4vla.testing.findings import Findings, equal


def check_policy(
    policy: type[Policy] | str, suite: Suite | str, *, queries: int = 3, **options: str
) -> None:
    """Try every rule of the contract on two of the suite's episodes, in the real simulator.

    Args:
        policy: a Policy subclass, a policy's name, or `module:Class`.
        suite: whose first and last episode it is asked about.
        queries: how often in each.
        options: the policy's own, as `--policy-option` gives them.

    Raises:
        BrokenContract: naming every rule that does not hold.
        BadInput: the policy does not fit the simulator, or one of them is not there.
    """
    if isinstance(suite, str):
        suite = load(suite)
    if isinstance(policy, str):
        policy = policy_class(policy, plugin(suite.simulator))
    trial = _Trial(policy, suite, queries, options)
    trial.describes_itself()
    if trial.answers():
        trial.repeats_itself()
        trial.keeps_apart()
    trial.findings.close(f"Policy '{policy.__name__}'")


class _Trial:
    """One policy under trial."""

    def __init__(
        self, policy: type[Policy], suite: Suite, queries: int, options: dict[str, str]
    ) -> None:
        self.findings = Findings()
        self._policy, self._suite, self._queries, self._options = policy, suite, queries, options
        self._simulator = plugin(suite.simulator)
        self._world = self._simulator.describe(suite.options)
        self._spec = policy.describe(self._world, **options)
        check(self._spec, self._world)
        preflight(self._simulator, suite.options, bool(self._spec.request.cameras))
        self._pair = (suite.episodes[0], suite.episodes[-1])
        self._asked: list[list[Observation]] = []

    def describes_itself(self) -> None:
        """The same words each time; what only experts may see makes it privileged."""
        again = self._policy.describe(self._world, **self._options)
        self.findings.expect(again == self._spec, "describe gives another spec the second time")
        honest = self._spec.privileged or not self._spec.request.privileged
        self.findings.expect(honest, "it reads the simulator's state and is not marked privileged")

    def answers(self) -> bool:
        """A finite chunk (H, A) for each observation, in order; whether it came so far."""
        with closing(self._made()) as made:
            for episode in self._pair:
                listener = _Listener(made, self._queries, self.findings, self._spec)
                if error := self._roll(episode, listener):
                    self.findings.expect(False, f"an episode ends in an error: {error}")
                    return False
                self._asked.append(listener.seen)
        return True

    def repeats_itself(self) -> None:
        """The same observations and seeds: the same actions, also after a reset and made anew."""
        once, again = self._told(self._pair[0], rounds=2)
        (anew,) = self._told(self._pair[0])
        expect = self.findings.expect
        expect(equal(once, again), "it remembers an episode beyond `reset`")
        expect(equal(once, anew), "it answers differently when it is loaded again")

    def keeps_apart(self) -> None:
        """Two episodes in one batch are answered as each alone would be, if it says so."""
        alone = [self._told(episode)[0] for episode in self._pair]
        sessions = [Session(episode.key) for episode in self._pair]
        together: list[list[object]] = [[], []]
        with closing(self._made()) as made:
            made.reset(sessions)
            for pair in islice(zip(*self._asked, strict=False), self._queries):
                for told, chunk in zip(together, made.act(list(pair), sessions), strict=True):
                    told.append(_bytes(chunk))
        count = len(together[0])
        same = equal([told[:count] for told in alone], together)
        self.findings.expect(
            same or not self._spec.batch_invariant,
            "an answer depends on what else is in the batch; say batch_invariant=False",
        )

    def _made(self) -> Policy:
        return self._policy(self._world, **self._options)

    def _told(self, episode: Episode, rounds: int = 1) -> list[list[object]]:
        """Its answers to what it was asked in `answers`, with a reset before each round."""
        asked = self._asked[self._pair.index(episode)]
        told = []
        with closing(self._made()) as made:
            for _ in range(rounds):
                session = Session(episode.key)
                made.reset([session])
                told.append([_bytes(made.act([seen], [session])[0]) for seen in asked])
        return told

    def _roll(self, episode: Episode, listener: _Listener) -> str:
        """Play an episode as the engine does; the last line of its error, if it ends in one."""
        loop = LoopConfig(self._world, self._spec, Execution.parse("chunk"), self._suite.success)
        with closing(self._simulator.create(self._suite.options)) as world:
            result = run_episode(world, episode, listener, loop, lambda phase: None)
        return result.error_text.strip().rpartition("\n")[2] if result.error else ""


class _Listener:
    """Stands in the policy server's place: asks the policy, and notes what is wrong with it."""

    def __init__(self, policy: Policy, queries: int, findings: Findings, spec: PolicySpec) -> None:
        self._policy, self._queries, self._findings, self._spec = policy, queries, findings, spec
        self.seen: list[Observation] = []

    def reset(self, key: EpisodeKey, fresh: bool) -> None:
        if fresh:
            self._session = Session(key)
        self._policy.reset([self._session])

    def act(self, observation: Observation) -> ActionChunk:
        self.seen.append(observation)
        chunks = self._policy.act([observation], [self._session])
        expect, size = self._findings.expect, self._spec.action.size
        expect(len(chunks) == 1, f"act gives {len(chunks)} chunks for one observation")
        actions = np.asarray(chunks[0].actions)
        whole = actions.ndim == 2 and actions.shape[1] == size and len(actions) > 0
        expect(whole, f"a chunk has shape {actions.shape}, not (H, {size})")
        expect(bool(np.isfinite(actions).all()), "a chunk holds numbers that are not finite")
        if not whole or len(self.seen) >= self._queries:
            return ActionChunk(np.zeros((1, size)), terminate_after=1)
        return chunks[0]


def _bytes(chunk: ActionChunk) -> object:
    return np.asarray(chunk.actions), chunk.terminate_after
