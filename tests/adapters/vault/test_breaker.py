"""When a breaker opens, what it says meanwhile, and how it closes again; the clock is the test's."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog

from acmeproxy.adapters.vault.breaker import Breaker, ShutError, State
from tests.support.log_capture import captured


class Bench:
    """A breaker, its clock and what it told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[State] = []
        self.breaker = Breaker({"addr": "https://vault.example"}, self.told.append, lambda: self.now)

    def asks(self, failure: str = "") -> None:
        with self.breaker.asking():
            if failure:
                self.breaker.failed(failure)
            else:
                self.breaker.worked()

    def is_sent_away(self) -> timedelta:
        """Ask in vain, and return when to come again."""
        with pytest.raises(ShutError) as caught:
            self.asks()
        assert str(caught.value) == "not asked again yet: refused"
        assert caught.value.retry_after is not None
        return caught.value.retry_after

    def opens(self) -> None:
        for _ in range(3):
            self.asks("refused")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(autouse=True)
def events() -> Iterator[structlog.testing.LogCapture]:
    with captured() as capture:
        yield capture


def test_three_failures_in_a_row_open_it(bench: Bench) -> None:
    for _ in range(5):
        bench.asks("refused")
        bench.asks("refused")
        bench.asks()
    assert bench.told == []
    bench.opens()
    assert bench.told == [State.OPEN]
    assert bench.is_sent_away() == timedelta(seconds=1)


def test_one_request_finds_out_whether_it_is_back(bench: Bench, events: structlog.testing.LogCapture) -> None:
    bench.opens()
    bench.now += 1
    with bench.breaker.asking():
        assert bench.is_sent_away() == timedelta(seconds=0.5)
        bench.breaker.worked()
    bench.asks("refused")
    assert bench.told == [State.OPEN, State.HALF_OPEN, State.CLOSED]
    assert events.entries == [
        {
            "event": "vault.breaker.open",
            "log_level": "error",
            "addr": "https://vault.example",
            "reason": "refused",
        },
        {
            "event": "vault.breaker.closed",
            "log_level": "info",
            "addr": "https://vault.example",
            "seconds": 1.0,
        },
    ]


def test_it_is_asked_every_two_seconds_however_long_it_is_away(
    bench: Bench, events: structlog.testing.LogCapture
) -> None:
    """What is back is found out soon, and the log tells of the outage once."""
    bench.opens()
    bench.now += 1
    for _ in range(5):
        bench.asks("refused")
        assert bench.is_sent_away() == timedelta(seconds=2)
        bench.now += 2
    assert [entry["event"] for entry in events.entries] == ["vault.breaker.open"]
    bench.asks()
    bench.opens()
    assert bench.is_sent_away() == timedelta(seconds=1)


def test_who_is_sent_away_comes_again_in_turn(bench: Bench) -> None:
    """All at once would be a stampede: fifty a second, and nobody later than in half a minute."""
    bench.opens()
    waits = [bench.is_sent_away() for _ in range(4000)]
    assert waits[0] == timedelta(seconds=1)
    assert waits[1] == timedelta(seconds=1.02)
    assert waits[100] == timedelta(seconds=3)
    assert waits[-1] == timedelta(seconds=30)


def test_a_probe_that_tells_nothing_leaves_it_open(bench: Bench) -> None:
    """Who is cancelled has not found out, and the next one may try."""
    bench.opens()
    bench.now += 1
    with bench.breaker.asking():
        pass
    assert bench.is_sent_away() == timedelta(seconds=2)
    bench.now += 2
    bench.asks()
    assert bench.told[-1] is State.CLOSED


def test_an_answer_that_comes_late_closes_it_and_a_late_failure_changes_nothing(bench: Bench) -> None:
    bench.opens()
    bench.now += 0.9
    bench.breaker.failed("reset")
    assert bench.is_sent_away() == timedelta(seconds=0.1)
    bench.breaker.worked()
    bench.asks()
    assert bench.told == [State.OPEN, State.CLOSED]
