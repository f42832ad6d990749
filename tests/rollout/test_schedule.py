"""Which episode comes next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vlm4vla.core.episode import Episode, EpisodeKey
from vlm4vla.rollout.schedule import LongestFirst, Ordered


def episode(task, init, steps=10):
    return Episode(EpisodeKey("s", task, init), "", steps)


def test_a_slot_stays_on_the_task_it_has_loaded():
    schedule = LongestFirst.of([episode(t, i) for t in "ab" for i in range(3)])
    loaded, tasks = None, []
    while (taken := schedule.take(loaded)) is not None:
        loaded = taken.key.task
        tasks.append(loaded)
    assert tasks in (["a"] * 3 + ["b"] * 3, ["b"] * 3 + ["a"] * 3)


def test_the_task_with_most_work_left_goes_first_and_its_longest_episode_first():
    schedule = LongestFirst.of([episode("short", i, 5) for i in range(3)])
    schedule.pending |= LongestFirst.of([episode("long", 0, 10), episode("long", 1, 90)]).pending
    assert schedule.take(None).key == EpisodeKey("s", "long", 1)


def test_equal_lengths_run_in_order_of_their_init():
    schedule = LongestFirst.of([episode("a", i) for i in (2, 0, 1)])
    assert [schedule.take("a").key.init for _ in range(3)] == [0, 1, 2]


def test_a_failed_episode_waits_for_the_others_of_its_task():
    schedule = LongestFirst.of([episode("a", i) for i in range(3)])
    failed = schedule.take(None)
    schedule.put_back(failed)
    rest = [schedule.take("a") for _ in range(3)]
    assert rest[-1] == failed and schedule.take("a") is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), unique=True, max_size=30),
    st.randoms(use_true_random=False),
)
def test_every_episode_is_handed_out_exactly_once(pairs, random):
    schedule = LongestFirst.of([episode(t, i, random.randint(1, 99)) for t, i in pairs])
    taken = []
    while len(schedule):
        taken.append(schedule.take(random.choice(["a", "b", "c", None])).key)
    assert sorted(taken) == sorted(EpisodeKey("s", t, i) for t, i in pairs)
    assert schedule.take(None) is None


def test_a_fixed_order_is_kept_up_to_its_horizon():
    given = [episode("near", i) for i in range(5)]
    schedule = Ordered((4 - place, e) for place, e in enumerate(given))
    assert len(schedule) == 5 and schedule.take(None) is None
    schedule.horizon = 2
    first, second = schedule.take("near"), schedule.take(None)
    assert [first, second] == [given[4], given[3]] and schedule.take(None) is None
    schedule.put_back(first)
    assert len(schedule) == 4 and schedule.take(None) is first  # it failed, and others wait for it
    schedule.horizon = 4
    schedule.put_back(second)
    schedule.close()
    assert len(schedule) == 1 and schedule.take(None) is second and schedule.take(None) is None
