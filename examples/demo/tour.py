"""A walk through a service: each exchange is sent, printed, explained, and compared with what was expected of it."""

from __future__ import annotations

import json
import re
import secrets
import textwrap
import time
from typing import Any

import httpx

from .decisions import NAME, Decisions

_TOKEN = re.compile(r'(token": ?"[^"]{8})[^"]+([^"]{8}")')
_CODES = re.compile(r'("(?:secret|uri|recovery_codes)": ?)("[^"]*"|\[[^\]]*\])')
_SHOWN = ("www-authenticate", "retry-after", "ratelimit", "ratelimit-policy")


class Tour:
    """Sends requests and prints them. `decisions`: what the service's audit log says of each."""

    def __init__(self, client: httpx.Client, decisions: Decisions) -> None:
        self._client = client
        self._decisions = decisions
        self._count = 0
        self._wrong: list[int] = []

    @property
    def is_as_expected(self) -> bool:
        """Whether there was an exchange, and every one came out as it should."""
        return self._count > 0 and not self._wrong

    def chapter(self, title: str, text: str) -> None:
        print(f"\n{title}\n{'-' * len(title)}\n{text}")

    def check(self, holds: bool, text: str) -> None:
        """What is to be seen in the exchange before this, beside its status."""
        print(f"     = {text}." if holds else f"     ! this does not hold: {text}")
        if not holds:
            self._wrong.append(self._count)

    def wait(self, seconds: float, why: str) -> None:
        print(f"\n     ... {seconds:g} s, {why}", flush=True)
        time.sleep(seconds)

    def get(
        self,
        path: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        expect: int,
        guard: str | None = None,
        why: str,
    ) -> httpx.Response:
        sent = {**(headers or {}), **({} if token is None else {"authorization": f"Bearer {token}"})}
        return self._exchange(self._client.build_request("GET", path, headers=sent), expect, guard, why)

    def post(
        self,
        path: str,
        body: dict[str, Any] | bytes,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        expect: int,
        guard: str | None = None,
        why: str,
    ) -> httpx.Response:
        bearer = {} if token is None else {"authorization": f"Bearer {token}"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **bearer, **(headers or {})}
        return self._exchange(self._client.build_request("POST", path, content=content, headers=sent), expect, guard, why)

    def _exchange(self, request: httpx.Request, expect: int, guard: str | None, why: str) -> httpx.Response:
        self._count += 1
        request.headers[NAME] = secrets.token_hex(16)
        response = self._client.send(request)
        heard = self._decisions.of(request.headers[NAME])
        event = next(iter(heard["events"]), None)
        decided = event["guard"] if event is not None and event["outcome"] != "allow" else None
        right = response.status_code == expect and decided == guard

        print(f"\n{self._count:3}. > {request.method} {request.url.path}{_credential(request)}")
        if request.content:
            print(f"     > {_short(_masked(request.content.decode()))}")
        print(f"     < {response.status_code} {response.reason_phrase}   {_short(_masked(response.text))}")
        for name in _SHOWN:
            if name in response.headers:
                print(f"     < {name}: {response.headers[name]}")
        print(textwrap.fill(f"{_verdict(event)}: {why}.", 110, initial_indent="     = ", subsequent_indent="       "))
        for warning in heard["warnings"]:
            print(f"     # the log warns: {warning}")
        if not right:
            self._wrong.append(self._count)
            print(f"     ! expected {expect}" + (f" from {guard}" if guard else ""))
        return response

    def close(self) -> None:
        if self._wrong:
            print(f"\n{len(self._wrong)} of {self._count} exchanges came out otherwise than expected: {self._wrong}")
        else:
            print(f"\nAll {self._count} exchanges came out as they should.")


def _verdict(event: dict[str, object] | None) -> str:
    if event is None:
        return "answered without a guard"
    if event["outcome"] == "allow":
        return "allowed" if event["principal"] is None else f"allowed, principal {event['principal']}"
    return f"refused by {event['guard']} ({event['reason']})"


def _credential(request: httpx.Request) -> str:
    sent = request.headers.get("authorization")
    if sent is None:
        signature = request.headers.get("x-hub-signature-256")
        return "" if signature is None else f"   X-Hub-Signature-256: {signature[:20]}..."
    return f"   Authorization: {sent[:15]}...{sent[-8:]}"


def _masked(body: str) -> str:
    """Without the tokens and keys in it: whoever reads over your shoulder could use them."""
    return _CODES.sub(r"\1...", _TOKEN.sub(r"\1...\2", body))


def _short(text: str, length: int = 100) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
