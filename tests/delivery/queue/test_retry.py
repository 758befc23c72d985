import random

from hypothesis import given
from hypothesis import strategies as st

from everpost.delivery.queue.retry import Schedule

HOUR = 3600.0


@given(attempts=st.integers(1, 200), seed=st.integers(0, 1000))
def test_intervals_grow_and_stay_near_the_schedule(attempts: int, seed: int) -> None:
    schedule = Schedule()
    chance = random.Random(seed)
    wait = schedule.next_attempt(1000.0, attempts, 1e12, chance) - 1000.0
    planned = schedule.intervals[min(attempts, len(schedule.intervals)) - 1]
    assert planned * 0.9 <= wait <= planned * 1.1


def test_a_day_of_failures() -> None:
    schedule = Schedule(jitter=0)
    chance = random.Random(1)
    now, times = 0.0, []
    for attempts in range(1, 20):
        now = schedule.next_attempt(now, attempts, schedule.lifetime, chance)
        times.append(now / 60)
    assert times[:7] == [1, 6, 21, 51, 111, 231, 471]


def test_the_last_attempt_is_made_when_the_entry_expires() -> None:
    schedule = Schedule()
    assert schedule.next_attempt(100.0, 9, 160.0, random.Random(1)) == 160.0


def test_what_failed_together_is_not_tried_together() -> None:
    chance = random.Random(1)
    assert len({Schedule().next_attempt(0, 4, 1e9, chance) for _ in range(50)}) > 40


def test_the_sender_is_warned_once_after_four_hours() -> None:
    schedule = Schedule()
    assert not schedule.warning_due(3.9 * HOUR, 0.0, warned=False)
    assert schedule.warning_due(4 * HOUR, 0.0, warned=False)
    assert not schedule.warning_due(4 * HOUR, 0.0, warned=True)
