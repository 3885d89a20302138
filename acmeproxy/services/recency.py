"""A bounded memory that a flood of strangers does not wash out."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recency(Generic[K, V]):
    """Keeps what was asked for lately, and before that what was asked for more than once.

    Newcomers are on trial in a fifth of the room: whoever asks for a million different things pushes out
    what was asked for once, and nothing else (segmented LRU).
    """

    def __init__(self, largest: int) -> None:
        self._trial: OrderedDict[K, V] = OrderedDict()
        self._known: OrderedDict[K, V] = OrderedDict()
        self._on_trial = max(1, largest // 5)
        self._largest_known = max(1, largest - self._on_trial)

    def __len__(self) -> int:
        return len(self._trial) + len(self._known)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return what is kept under a key, or what is made and kept from now on."""
        if (value := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return value
        if (value := self._trial.pop(key, None)) is not None:
            self._known[key] = value
            if len(self._known) > self._largest_known:
                older, forgotten = self._known.popitem(last=False)
                self._try(older, forgotten)
            return value
        value = make()
        self._try(key, value)
        return value

    def drop(self, key: K) -> None:
        """Forget one."""
        self._trial.pop(key, None)
        self._known.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._trial.clear()
        self._known.clear()

    def _try(self, key: K, value: V) -> None:
        self._trial[key] = value
        if len(self._trial) > self._on_trial:
            self._trial.popitem(last=False)
