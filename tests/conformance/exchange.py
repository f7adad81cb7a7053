"""What is sent through a host, and what came of it, in no host's form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authkit import Principal, current_principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request. `headers` in order, repeated names as sent. `peer`: a loopback address, so that sockets can have it too."""

    method: str = "GET"
    path: str = "/orders/7"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    peer: str | None = "127.0.113.9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """One answer. `headers`: lower-case names, every value. `error`: the type of an exception that went up to the host."""

    status: int | None
    headers: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    error: str | None = None


class Handler:
    """The handler behind every guard: it counts how often it was entered, and says what it saw."""

    def __init__(self) -> None:
        self.entered = 0

    def sees(self, principal: Principal | None, headers: Mapping[str, str | None], body: bytes) -> dict[str, Any]:
        """Called by each host's own handler with what that host gave it."""
        self.entered += 1
        current = current_principal()
        assert current is principal, "the parameter and current_principal() agree"
        return {
            "subject": None if principal is None else principal.subject,
            "roles": [] if principal is None else sorted(principal.roles),
            "dropped": headers.get("x-custom-auth"),
            "body": hashlib.sha256(body).hexdigest(),
        }


def seen(body: bytes) -> dict[str, Any]:
    """What the handler saw, from the answer's body."""
    found = json.loads(body)
    assert isinstance(found, dict)
    return found
