"""What a take may still give back: what has come back by itself meanwhile is not given back again."""

from __future__ import annotations

from math import ceil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..stores import Rate

_SLACK = 1e-5  # permits that rounding may cost


def may_return(rates: tuple[Rate, ...], algorithm: str, cost: int, passed: float, taken: float, now: float) -> int:
    """How many permits of a take of `cost` to give back. `passed`: seconds since, by a clock that never jumps.

    `taken`, `now`: the same two moments as epoch seconds, by which fixed windows begin. Every rate gets the same, so the one
    that has least to get back decides.

    Given back later, they would come out of what others took since. Of a bucket, `passed` may have brought back
    `passed * count / period` of them, for all takes together; a part of a permit is rounded in favour of who gives back, so
    that a bucket may admit one cost more than it should, in all.
    """
    if not 0.0 <= passed < min(rate.period for rate in rates):
        return 0
    if algorithm == "fixed-window":
        return cost if all(taken // rate.period == now // rate.period for rate in rates) else 0
    if algorithm == "sliding-window":
        return cost
    back = max(passed * rate.count / rate.period for rate in rates)
    return max(0, min(cost, ceil(cost - back - _SLACK)))
