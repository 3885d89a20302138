"""A memory that a flood does not wash out."""

from acmeproxy.services.recency import Recency


def test_what_is_asked_for_again_is_kept_whatever_comes_once() -> None:
    kept: Recency[int, str] = Recency(10)
    kept.get(1, lambda: "one")
    kept.get(1, lambda: "another")
    for number in range(1000, 2000):
        kept.get(number, lambda: "flood")
    assert kept.get(1, lambda: "another") == "one"
    assert len(kept) <= 10


def test_what_is_asked_for_once_goes_first_and_in_order() -> None:
    kept: Recency[int, str] = Recency(10)
    for number in (1, 2, 3):
        kept.get(number, lambda: "first")
    # Two places for newcomers.
    assert kept.get(3, lambda: "again") == "first"
    assert kept.get(2, lambda: "again") == "first"
    assert kept.get(1, lambda: "again") == "again"


def test_the_longest_unasked_of_the_known_goes_back_on_trial() -> None:
    kept: Recency[int, int] = Recency(5)
    for number in range(5):
        for _ in range(2):
            kept.get(number, lambda number=number: number)  # type: ignore[misc]
    assert len(kept) == 5
    assert kept.get(0, lambda: 99) == 0
    for number in range(100, 110):
        kept.get(number, lambda: 99)
    assert kept.get(4, lambda: 99) == 4
    assert kept.get(1, lambda: 99) == 99


def test_what_is_dropped_is_made_anew() -> None:
    kept: Recency[int, str] = Recency(10)
    for _ in range(2):
        kept.get(1, lambda: "known")
    kept.get(2, lambda: "on trial")
    kept.drop(1)
    kept.drop(2)
    kept.drop(3)
    assert kept.get(1, lambda: "new") == "new"
    assert kept.get(2, lambda: "new") == "new"
    kept.clear()
    assert len(kept) == 0
