"""`Sending`: the application's own function that writes to a user, called so that no clock tells whether there was a user."""

from __future__ import annotations

import os
import time
from functools import partial

from .._audit import warn
from .._run import behind, blocking
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..http import Request
    from .users import User

MOST_SECONDS = 20  # of an answer held back: less than an API Gateway waits (29)


class Sending:
    """Calls `send(user, *secrets)`, or nothing, behind the answer: on threads of our own, a few at a time.

    AWS Lambda lets nothing run behind an answer. There it is called before it, and every answer is held back until `at_least`
    seconds have passed: a `send` that takes longer can be told from none, and is warned of once. A `send` that fails is in the
    log, without its message, and in no answer. `setting`: its name for messages. A coroutine function has a loop of its own.

    Raises: `ConfigurationError`.
    """

    __slots__ = ("_send", "_setting", "_at_least", "_timer", "_sleep", "_environ", "_warned")

    def __init__(
        self,
        send: Callable[..., object],
        setting: str,
        *,
        at_least: float = 1.0,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        if not callable(send):
            raise ConfigurationError(f"{setting} is a callable(user, ...)")
        if type(at_least) not in (int, float) or not 0 <= at_least <= MOST_SECONDS:
            raise ConfigurationError(f"{setting}: at_least is a number of seconds from 0 to {MOST_SECONDS}")
        self._send = send
        self._setting = setting
        self._at_least = at_least
        self._timer = timer
        self._sleep = sleep
        self._environ = environ
        self._warned = False

    async def go(self, request: Request, user: User | None, *secrets: str) -> None:
        """Send to `user`; to None nothing, in the same time. Raises: `Unavailable`, whoever it is, if too much waits."""
        job = partial(self._try, user, secrets)
        if request.host != "aws_lambda" and "AWS_LAMBDA_RUNTIME_API" not in self._environ:
            behind(job, pool="send")
            return
        began = self._timer()
        await blocking(job)
        left = self._at_least - (self._timer() - began)
        if left > 0:
            await blocking(self._sleep, left)
        elif user is not None and not self._warned:
            self._warned = True
            warn(
                "%s takes longer than an answer is held back: a clock tells who exists; let it put into a queue", self._setting
            )

    def _try(self, user: User | None, secrets: tuple[str, ...]) -> None:
        if user is None:
            return
        try:
            called(self._send, user, *secrets)
        except Exception as error:  # the message may hold the secret: only its kind is told
            warn("%s failed: %s", self._setting, type(error).__name__)


def called(fn: Callable[..., object], *args: object) -> None:
    """Call a function of the application's, on a thread that may block; a coroutine function has a loop of its own there."""
    answer: Any = fn(*args)
    if hasattr(answer, "__await__"):
        import asyncio

        asyncio.run(_awaited(answer))


async def _awaited(answer: Any) -> None:
    await answer
