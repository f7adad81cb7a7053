"""Where a browser brings a provider's answer to the command: what is an answer, and who can keep it from coming."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from authkit.cli._oidc_loopback import MOST, Loopback, fields_of
from authkit.errors import Unavailable


def test_those_who_only_hold_a_connection_keep_nobody_out() -> None:
    with Loopback() as loopback:
        port = urlsplit(loopback.redirect_uri).port
        held = [socket.create_connection(("127.0.0.1", port or 0)) for _ in range(MOST // 2)]
        loopback.expect("s" * 43)
        assert httpx.get(f"{loopback.redirect_uri}?state={'s' * 43}&code=c", trust_env=False).status_code == 200
        assert loopback.answer(30) == {"state": "s" * 43, "code": "c"}
        for one in held:
            one.close()
        with pytest.raises(Unavailable):
            loopback.answer(0.01)


def test_before_anything_was_asked_nothing_is_an_answer() -> None:
    with Loopback() as loopback:
        for query in ("", "?state=&code=c", "?state=None&code=c"):
            assert httpx.get(loopback.redirect_uri + query, trust_env=False).status_code == 400


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("state=s&code=c", {"state": "s", "code": "c"}),
        ("state=s&state=t", None),
        ("a=&b", {"a": "", "b": ""}),
        ("x=" + "y" * 20_000, None),
        ("&".join(f"f{number}=1" for number in range(33)), None),
        ("state=%ff", None),
        ("state=\xe9", None),
    ],
)
def test_what_the_fields_of_an_answer_are(query: str, fields: dict[str, str] | None) -> None:
    assert fields_of(query) == fields
