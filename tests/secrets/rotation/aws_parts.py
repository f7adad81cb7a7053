"""What the tests of rotation on AWS share: clients that die, values that must not be seen, and where the labels are."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.aws import StrictAws

CANARY = "canary-7f3a91c2"  # every value in these tests begins with it
OLD, NEW, NEWER = (f"{CANARY}-{n}" for n in ("old", "new", "newer"))


class Killed(BaseException):
    """The process ended here. No `except Exception` sees it."""


class Mortal:
    """A boto3 client that is killed at its k-th call, before it is sent or after it was answered, and is dead from then on; k
    None: never."""

    def __init__(self, client: Any, k: int | None, *, after: bool) -> None:
        self._client, self._k, self._after = client, k, after
        self.calls = 0
        self.meta = client.meta

    def __getattr__(self, action: str) -> Any:
        def call(**asked: Any) -> Any:
            self.calls += 1
            if self._k is not None and self.calls > self._k:
                raise Killed
            due = self.calls == self._k
            if due and not self._after:
                raise Killed
            try:
                return getattr(self._client, action)(**asked)
            finally:
                if due:
                    raise Killed

        return call


class Meddled:
    """A boto3 client beside which somebody else acts, once, before or after the first call of one action."""

    def __init__(self, client: Any, action: str, meddle: Callable[[], object], *, after: bool = False) -> None:
        self._client, self._action, self._after = client, action, after
        self._todo = [meddle]
        self.meta = client.meta

    def __getattr__(self, action: str) -> Any:
        def call(**asked: Any) -> Any:
            due = self._todo and action == self._action
            if due and not self._after:
                self._todo.pop()()
            try:
                return getattr(self._client, action)(**asked)
            finally:
                if due and self._after:
                    self._todo.pop()()

        return call


def labelled(aws: StrictAws, name: str = "app") -> dict[str, Any]:
    """Label to value, as the stub keeps them; JSON is parsed."""
    secret = aws.secrets.secrets[name]
    found = {}
    for label, version in secret.labels.items():
        text = secret.versions[version].text
        found[label] = json.loads(text) if text is not None and text.startswith("{") else text
    return found


def shown(error: BaseException) -> str:
    """Everything that a crash reporter would print of it."""
    said = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = "".join(line for line in said.format() if "/tests/" not in line)
    return f"{error!r} {error} {error.__cause__!r} {error.__context__!r} {ours}"
