"""What responses say of a limit: `RateLimit`, `RateLimit-Policy`, `Retry-After`, and the older fields if asked for.

The first two as draft-ietf-httpapi-ratelimit-headers-11 says: lists of structured fields, one item for each limit. `t` is when
there is one permit more, not when all of them are there.
"""

from __future__ import annotations

import time
from math import ceil

from ..decision import Allow, FrozenDict
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import TypeAlias

    from ..stores import Rate

    States: TypeAlias = tuple[tuple[int, float], ...]

_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_MOST_KEPT = 4096  # answers: those of a hundred permits a minute are a hundred


class Fields:
    """The fields of one guard. `concurrent`: how many may be in at once, if that is a limit of it."""

    __slots__ = ("labels", "_rates", "_concurrent", "_legacy", "_clock", "_items", "_policy", "_kept", "_single")

    def __init__(
        self,
        name: str | None,
        rates: tuple[Rate, ...],
        concurrent: int | None,
        legacy: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rates = rates
        self._concurrent = concurrent
        self._legacy = legacy
        self._clock = clock
        self._use(_labels(name, rates, concurrent))

    def _use(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._items = tuple(f'"{label}";r=' for label in labels)
        policy = [f'"{label}";q={rate.count};w={rate.period}' for label, rate in zip(labels, self._rates, strict=False)]
        if self._concurrent is not None:
            policy.append(f'"{labels[-1]}";q={self._concurrent};qu="concurrent-requests"')
        self._policy = ", ".join(policy)
        plain = len(self._rates) == 1 and self._concurrent is None and not self._legacy
        self._single = self._items[0] if plain else None
        self._kept: dict[tuple[int, int], Allow] = {}

    def tell_apart(self, taken: Collection[str]) -> None:
        """Take other names for the policies, if one of them is taken by another limit of the same response."""
        number, labels = 1, self.labels
        while not set(labels).isdisjoint(taken):
            number += 1
            labels = tuple(f"{label}-{number}" for label in self.labels)
        if number > 1:
            self._use(labels)

    def allowed(self, states: States, places: int | None = None) -> Allow:
        """The decision to admit, with its fields. `places`: how many more may be in at once."""
        if self._single is None:
            return Allow(headers=self.mapping(states, places))
        left, following = states[0]
        seconds = ceil(following - 1e-6)
        kept = self._kept
        found = kept.get((left, seconds))
        if found is None:
            if len(kept) >= _MOST_KEPT:
                self._kept = kept = {}
            fields = {"ratelimit": f"{self._single}{left};t={seconds}", "ratelimit-policy": self._policy}
            found = kept[left, seconds] = Allow(headers=FrozenDict(fields))
        return found

    def mapping(self, states: States, places: int | None) -> dict[str, str]:
        """The fields by name."""
        items = [
            f"{item}{left};t={ceil(due - 1e-6)}"
            for item, (left, due) in zip(self._items, states)  # noqa: B905  # strict= costs time
        ]
        if places is not None:
            items.append(f"{self._items[-1]}{places}")
        fields = {"ratelimit": ", ".join(items), "ratelimit-policy": self._policy}
        if self._legacy and states:
            rate, (left, due) = min(zip(self._rates, states, strict=True), key=lambda pair: pair[1][0])
            fields["x-ratelimit-limit"] = str(rate.count)
            fields["x-ratelimit-remaining"] = str(left)
            fields["x-ratelimit-reset"] = str(whole(self._clock() + due))
        return fields

    def refused(self, states: States, places: int | None, wait: float) -> dict[str, str]:
        """The fields of a refusal, `Retry-After` among them: whole seconds, at least 1, and never too early."""
        fields = self.mapping(states, places)
        fields["retry-after"] = str(max(1, whole(wait)))
        return fields


def whole(seconds: float) -> int:
    """Whole seconds, rounded up; what rounding left over is no second."""
    return ceil(seconds - 1e-6)


def _labels(name: str | None, rates: tuple[Rate, ...], concurrent: int | None) -> tuple[str, ...]:
    """The policy names. Several limits need different ones."""
    if len(rates) + (concurrent is not None) == 1:
        return (name or "default",)
    before = f"{name}:" if name else ""
    labels = []
    for rate in rates:
        unit, word = next((unit, word) for unit, word in _UNITS if rate.period % unit == 0)
        times = rate.period // unit
        labels.append(f"{before}{rate.count}-per-{word if times == 1 else f'{times}-{word}s'}")
    if len(set(labels)) != len(labels):
        raise ConfigurationError("rate_limit: two of the limits are the same")
    return (*labels, f"{before}{concurrent}-concurrent") if concurrent is not None else tuple(labels)
