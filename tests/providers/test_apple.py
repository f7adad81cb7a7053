"""Apple's identity tokens, as its page on the user's identity token describes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from authkit_providers import Apple

from authkit import ConfigurationError, InvalidToken
from authkit.oidc import named

from .signer import Signer, reason

if TYPE_CHECKING:
    from authkit.testing import Clock

    from .world import World

KEYS = "https://appleid.apple.com/auth/keys"
ALICE = "001999.a5c8b1bcd4a94cbf9d8f2b3d9d3a6a55.1234"
IDENTITY = {
    "aud": "com.example.app", "sub": ALICE, "nonce": "8f14e45f", "nonce_supported": True, "c_hash": "T7EFPfPHd3YnUQ",
    "email": "abc@privaterelay.appleid.com", "email_verified": "true", "is_private_email": "true", "auth_time": 1,
    "real_user_status": 2,
}  # fmt: skip
NO_TYP: dict[str, Any] = {}


@pytest.fixture
def apple(clock: Clock) -> Signer:
    return Signer("https://appleid.apple.com", clock, jwks_uri=KEYS)


@pytest.fixture
def provider(apple: Signer) -> Apple:
    return Apple(["com.example.app", "com.example.web"], **apple.known)


def test_an_identity_token_is_the_teams_user(apple: Signer, web: World) -> None:
    provider = Apple(["com.example.app", "com.example.web"], **apple.published(web))
    for client in ("com.example.app", "com.example.web"):
        who = provider.verify(apple.token(IDENTITY, NO_TYP, aud=client))
        assert (who.subject, who.issuer, who.scopes, who.roles) == (
            ALICE,
            "https://appleid.apple.com",
            frozenset(),
            frozenset(),
        )
    assert web.asked == [KEYS]


@pytest.mark.parametrize(("mark", "verified"), [("true", True), (True, True), ("false", False), (False, False), (1, False)])
def test_an_address_is_verified_by_text_or_boolean(apple: Signer, provider: Apple, mark: Any, verified: bool) -> None:
    found = provider.identity(provider.verify(apple.token(IDENTITY, NO_TYP, email_verified=mark)))
    assert (found.email is not None) is verified
    assert found.unverified_email == "abc@privaterelay.appleid.com"


@pytest.mark.parametrize(("mark", "relay"), [("true", True), (True, True), ("false", False), (False, False), (..., False)])
def test_an_address_that_forwards_is_told(apple: Signer, provider: Apple, mark: Any, relay: bool) -> None:
    assert provider.is_relay(provider.verify(apple.token(IDENTITY, NO_TYP, is_private_email=mark))) is relay


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "com.mallory.app"}, "token_audience"),
        ({"aud": "com.example"}, "token_audience"),
        ({"iss": "https://appleid.apple.com/"}, "token_issuer"),
        ({"iss": "https://account.apple.com"}, "token_issuer"),
        ({"sub": ...}, "token_claims"),
        ({"exp": 1}, "token_expired"),
        ({"exp": ...}, "token_claims"),
        (
            {"events": json.dumps({"type": "account-delete", "sub": ALICE})},
            "token_type",
        ),  # a notification from server to server
    ],
)
def test_each_claim_alone_is_fatal(apple: Signer, provider: Apple, changes: dict[str, Any], why: str) -> None:
    assert reason(provider, apple.token(IDENTITY, NO_TYP, **changes)) == why


class TestALogin:
    async def test_is_answered_by_the_token_of_its_nonce(self, apple: Signer, provider: Apple) -> None:
        token = apple.token(IDENTITY, NO_TYP)
        assert provider.verify_login(token, nonce="8f14e45f").subject == ALICE
        assert (await provider.averify_login(token, nonce="8f14e45f")).subject == ALICE

    @pytest.mark.parametrize(
        "changes",
        [
            {"nonce": "another login's"}, {"nonce": ...}, {"nonce": None}, {"nonce": ["8f14e45f"]}, {"nonce": "8F14E45F"},
            {"nonce": "x", "nonce_supported": False}, {"nonce": ..., "nonce_supported": "false"},
            {"nonce": ..., "nonce_supported": ...}, {"nonce": "é"},
        ],
    )  # fmt: skip
    async def test_is_answered_by_no_other(self, apple: Signer, provider: Apple, changes: dict[str, Any]) -> None:
        """A token that was shown to another login, stolen from it say."""
        token = apple.token(IDENTITY, NO_TYP, **changes)
        with pytest.raises(InvalidToken) as caught:
            provider.verify_login(token, nonce="8f14e45f")
        assert caught.value.reason == "token_nonce"
        with pytest.raises(InvalidToken):
            await provider.averify_login(token, nonce="8f14e45f")

    def test_on_a_device_that_has_no_nonces_goes_without(self, apple: Signer, provider: Apple) -> None:
        token = apple.token(IDENTITY, NO_TYP, nonce=..., nonce_supported=False)
        assert provider.verify_login(token, nonce="8f14e45f").subject == ALICE

    @pytest.mark.parametrize("nonce", ["", None, 7])
    async def test_without_a_nonce_is_a_mistake(self, apple: Signer, provider: Apple, nonce: Any) -> None:
        for mistaken in (lambda: provider.verify_login("x", nonce=nonce), lambda: provider.averify_login("x", nonce=nonce)):
            with pytest.raises(ConfigurationError, match="nonce"):
                found = mistaken()
                await found  # type: ignore[misc]


@pytest.mark.parametrize("wrong", ["", [], None, "https://example.com", "com.example app", ["com.example.app", ""]])
def test_a_client_id_that_is_none_is_told_at_once(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="Apple: client_id"):
        Apple(wrong)


def test_settings_name_the_client() -> None:
    settings = {"AUTHKIT_APPLE_CLIENT_ID": "com.example.app, com.example.web"}
    assert Apple.from_settings(settings.get).issuer == "https://appleid.apple.com"
    with pytest.raises(ConfigurationError, match="AUTHKIT_APPLE_CLIENT_ID"):
        Apple.from_settings({}.get)
    assert isinstance(named("apple", client_id="com.example.app"), Apple)
