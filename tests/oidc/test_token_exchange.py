"""A token for one API, exchanged for one for the next: what is asked, what is taken, and what is shown."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from authkit.errors import AuthkitError, ConfigurationError, Unavailable
from authkit.oidc import GrantRefused, OIDCProvider, OnBehalfOf, TokenExchange
from authkit.testing import Clock

from .issuer import Issuer

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET, TOKEN, ACTOR = "service: 0f1e2d3c4b5a69788796a5b4c3d2e1f0", "subject-token-of-alice", "actor-token-of-bob"
URN = "urn:ietf:params:oauth:token-type:"
GIVEN = {
    "access_token": "downstream-token",
    "issued_token_type": f"{URN}access_token",
    "token_type": "Bearer",
    "expires_in": 60,
}


class Page:
    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.says: dict[str, Any] = dict(GIVEN)
        self.status = 200

    def __call__(self, method: str, headers: Any, body: bytes) -> tuple[int, Any]:
        self.forms.append(parse_qs(body.decode()))
        return self.status, {name: value for name, value in self.says.items() if value is not None}


@pytest.fixture
def page(op: Issuer) -> Page:
    found = op.pages["/token"] = Page()
    op.says["token_endpoint"] = f"{op.base}/token"
    return found


@pytest.fixture
def exchange_of(provider: OIDCProvider, page: Page, clock: Clock) -> Callable[..., TokenExchange]:
    def made(kind: type[TokenExchange] = TokenExchange, **settings: Any) -> TokenExchange:
        return kind(provider, "service", **{"client_secret": SECRET, "clock": clock, "timeout": 30, **settings})

    return made


def test_what_is_asked_is_what_the_rfc_says(exchange_of: Any, page: Page) -> None:
    exchange_of(audience="https://next.example", scopes=["read"]).exchange(TOKEN)
    assert page.forms == [
        {
            "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
            "subject_token": [TOKEN],
            "subject_token_type": [f"{URN}access_token"],
            "audience": ["https://next.example"],
            "scope": ["read"],
        }
    ]


def test_a_call_may_ask_for_something_else(exchange_of: Any, page: Page) -> None:
    exchange_of(audience="https://next.example", scopes=["read"]).exchange(
        TOKEN, "id_token", actor_token=ACTOR, actor_token_type="jwt", audience="https://other.example", scopes="a b",
        resource=["https://r.example"], requested_token_type="urn:example:kind",
    )  # fmt: skip
    [form] = page.forms
    assert form["subject_token_type"] == [f"{URN}id_token"]
    assert (form["actor_token"], form["actor_token_type"]) == ([ACTOR], [f"{URN}jwt"])
    assert (form["audience"], form["scope"], form["resource"]) == (["https://other.example"], ["a b"], ["https://r.example"])
    assert form["requested_token_type"] == ["urn:example:kind"]


def test_what_is_given_is_told_and_not_shown(exchange_of: Any, page: Page, clock: Clock) -> None:
    page.says["scope"] = "read write"
    given = exchange_of().exchange(TOKEN)
    assert (given.access_token, given.token_type, given.issued_token_type) == (
        "downstream-token",
        "Bearer",
        f"{URN}access_token",
    )
    assert (given.expires_at, given.scopes) == (clock.now + 60, {"read", "write"})
    assert "downstream" not in repr(given) + str(given) + f"{given}"


def test_on_an_event_loop_it_is_the_same(exchange_of: Any, page: Page) -> None:
    assert asyncio.run(exchange_of().aexchange(TOKEN)).access_token == "downstream-token"


def test_nothing_is_remembered(exchange_of: Any, page: Page) -> None:
    exchange = exchange_of()
    exchange.exchange(TOKEN)
    exchange.exchange(TOKEN)
    assert len(page.forms) == 2


@pytest.mark.parametrize(
    "says",
    [
        {"issued_token_type": None}, {"issued_token_type": 1}, {"token_type": None}, {"token_type": ""}, {"access_token": None},
        {"access_token": ["x"]}, {"access_token": "x" * 70_000},
    ],
)  # fmt: skip
def test_an_answer_that_does_not_say_what_it_gives_is_none(exchange_of: Any, page: Page, says: dict[str, Any]) -> None:
    page.says.update(says)
    with pytest.raises(Unavailable):
        exchange_of().exchange(TOKEN)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"drop": True},
        {"garbage": True},
        {"huge": True},
        {"redirect": "https://evil.example/"},
        {"status": 429},
    ],
)
def test_a_server_with_a_fault_is_unavailable(exchange_of: Any, op: Issuer, fault: dict[str, Any]) -> None:
    op.fault("/token", **fault)
    with pytest.raises(Unavailable) as raised:
        exchange_of().exchange(TOKEN)
    shown = "".join(traceback.format_exception(raised.value))
    assert TOKEN not in shown
    assert SECRET not in shown


SHOWN = [
    ({"status": 400, "says": {"error": "invalid_grant", "error_description": "canary"}}, {}),
    ({"status": 500, "says": {}}, {}),
    ({"says": {"access_token": "canary"}}, {}),
    ({"says": {**GIVEN, "access_token": "canary" * 20_000}}, {}),
    ({}, {"subject_token_type": "nonsense"}),
    ({}, {"acter_token": "canary"}),
    ({}, {"actor_token": ""}),
    ({}, {"actor_token": "canary\ud800"}),
    ({}, {"actor_token": "canary", "scopes": ["a b"]}),
]


@pytest.mark.parametrize(("answered", "asked"), SHOWN, ids=range(len(SHOWN)))
@pytest.mark.parametrize("on_a_loop", [False, True], ids=["sync", "async"])
def test_whatever_fails_shows_no_token_with_its_locals(
    exchange_of: Any, page: Page, answered: dict[str, Any], asked: dict[str, Any], on_a_loop: bool
) -> None:
    vars(page).update(answered)
    exchange = exchange_of(method="client_secret_post")
    with pytest.raises((AuthkitError, TypeError)) as raised:
        asyncio.run(exchange.aexchange(TOKEN, **asked)) if on_a_loop else exchange.exchange(TOKEN, **asked)
    assert not [name for name in ("canary", TOKEN, SECRET) if name in ours(raised.value)]


def test_certificates_that_cannot_be_read_show_nothing_of_what_was_to_be_sent(
    exchange_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    exchange = TokenExchange("https://login.example.com/token", "service", SECRET, method="client_secret_post")
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE") as raised:
        exchange.exchange(TOKEN)
    assert not [name for name in (TOKEN, SECRET) if name in ours(raised.value)]


def ours(error: BaseException) -> str:
    """The frames of ours in its traceback, with their locals."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    found = [frame for frame in frames if "/authkit/" in frame.filename]
    assert found
    return str([frame.locals for frame in found])


@pytest.mark.parametrize("word", ["invalid_request", "invalid_target", "invalid_grant", "interaction_required"])
def test_a_refusal_is_told_in_the_servers_word(exchange_of: Any, page: Page, word: str) -> None:
    page.status, page.says = 400, {"error": word, "error_description": f"{TOKEN} is bad"}
    with pytest.raises(GrantRefused) as raised:
        exchange_of().exchange(TOKEN)
    assert raised.value.error == word
    assert TOKEN not in "".join(traceback.format_exception(raised.value))


def test_a_lifetime_that_is_not_said_is_none(exchange_of: Any, page: Page, clock: Clock) -> None:
    page.says["expires_in"] = None
    assert exchange_of().exchange(TOKEN).expires_at is None
    page.says["expires_in"] = "-1"
    assert exchange_of().exchange(TOKEN).expires_at == clock.now + 300


@pytest.mark.parametrize(
    "asked", [{"subject_token_type": "nonsense"}, {"actor_token": ""}, {"scopes": ["a b"]}, {"resource": "#"}]
)
def test_what_cannot_be_asked_is_a_configuration_error(exchange_of: Any, page: Page, asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        exchange_of().exchange(TOKEN, **asked)
    assert page.forms == []


def test_a_name_that_it_does_not_have_is_a_type_error(exchange_of: Any, page: Page) -> None:
    with pytest.raises(TypeError, match="acter_token"):
        exchange_of().exchange(TOKEN, acter_token=ACTOR)
    with pytest.raises(ConfigurationError):
        exchange_of().exchange("")


class TestOnBehalfOf:
    def test_entra_is_asked_in_its_own_way(self, exchange_of: Any, page: Page) -> None:
        page.says.update({"issued_token_type": None, "ext_expires_in": 0, "scope": "api://orders/Read"})
        exchange = exchange_of(OnBehalfOf, scopes=["api://orders/.default"], method="client_secret_post")
        given = exchange.exchange(TOKEN)
        assert page.forms == [
            {
                "grant_type": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
                "assertion": [TOKEN],
                "requested_token_use": ["on_behalf_of"],
                "scope": ["api://orders/.default"],
                "client_id": ["service"],
                "client_secret": [SECRET],
            }
        ]
        assert (given.access_token, given.issued_token_type) == ("downstream-token", f"{URN}access_token")

    def test_what_it_has_no_word_for_is_not_asked(self, exchange_of: Any, page: Page) -> None:
        with pytest.raises(TypeError, match="actor_token"):
            exchange_of(OnBehalfOf).exchange(TOKEN, actor_token=ACTOR)
        assert repr(exchange_of(OnBehalfOf)).startswith("<OnBehalfOf of 'service'")
