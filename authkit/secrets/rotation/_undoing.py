"""A rotation that ends by an exception, a signal's too: what it staged is taken back. Only a kill leaves it."""

from __future__ import annotations

from contextlib import contextmanager

from ..versions import sealed
from ._same import same_value
from .target import Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..versions import Sealed
    from ._steps import Steps
    from .target import RotationTarget


@contextmanager
def taken_back(target: RotationTarget, steps: Steps, name: str, pending: Sealed, *, drop: bool) -> Iterator[None]:
    """Within, `pending` is on its way to be current. Whatever ends it: with `drop` it is not pending afterwards, and it is told
    that it failed. If that fails too, or if it is current already, nothing is told: the next run finds it begun."""
    try:
        yield
    except BaseException:
        try:
            _take_back(target, steps, name, pending, drop=drop)
        except Exception:  # what is raised is why it ended
            pass
        raise


def _take_back(target: RotationTarget, steps: Steps, name: str, pending: Sealed, *, drop: bool) -> None:
    versions = target.read(name)
    if same_value(sealed(versions.current), pending):
        return
    if drop and versions.pending is not None and same_value(sealed(versions.pending), pending):
        steps.do("discarded", lambda: _discard(target, name))
    steps.tell("failed")


def _discard(target: RotationTarget, name: str) -> None:
    try:
        target.discard(name)
    except Busy:  # at a place without a lock somebody has changed the current value: ours is not to stay for that
        with target.locked(name):
            target.discard(name)
