from everpost.core.resolver import Answer
from everpost.net.dnscache import ENTRY_BYTES, FAILED, Cache
from tests.fakes import FakeClock


def entry(size: int = 10) -> Answer[str]:
    return Answer(("x" * size,), ttl=100)


def test_the_least_used_goes_first() -> None:
    cache = Cache(FakeClock(), max_entries=3)
    for name in "abc":
        cache.keep((name, "A"), entry(), 100)
    assert cache.get(("a", "A")) is not None
    cache.keep(("d", "A"), entry(), 100)
    assert [name for name in "abcd" if cache.get((name, "A"))] == ["a", "c", "d"]


def test_its_memory_is_bounded_whatever_others_publish() -> None:
    limit = 100 * ENTRY_BYTES
    cache = Cache(FakeClock(), max_bytes=limit)
    for number in range(1000):
        cache.keep((f"{number}", "TXT"), entry(number), 100)
        assert cache._bytes <= limit
    assert 20 < len(cache) < 100
    cache.keep(("giant", "TXT"), entry(10 * limit), 100)
    assert len(cache) == 0
    assert cache._bytes == 0


def test_what_is_over_is_dropped_and_a_new_answer_replaces_the_old() -> None:
    clock = FakeClock()
    cache = Cache(clock)
    cache.keep(("a", "A"), entry(1000), 10)
    cache.keep(("a", "A"), entry(), 10)
    assert cache._bytes < ENTRY_BYTES + 200
    clock.advance(9.5)
    assert cache.get(("a", "A")) == Answer(("x" * 10,), ttl=0)
    clock.advance(0.5)
    assert cache.get(("a", "A")) is None
    assert (len(cache), cache._bytes) == (0, 0)


def test_a_failure_keeps_its_identity() -> None:
    cache = Cache(FakeClock())
    cache.keep(("a", "A"), FAILED, 5)
    assert cache.get(("a", "A")) is FAILED
