"""A login by authorization code for a program on this machine: what is asked, and what of the answer is believed.

RFC 6749 section 4.1, RFC 7636, RFC 8252, RFC 9207, OpenID Connect Core 1.0 section 3.1.
"""

from __future__ import annotations

import os
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from .._fetch import Unfetched, fetch
from .._run import run
from ..errors import ConfigurationError, InvalidToken, Unavailable
from ..oidc._login_rules import LoginRules
from ..oidc.identity import Identity, identity_of
from ..tokens import base64url
from ..tokens.strict_json import parse_object
from ._exits import Failed, Wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..oidc._endpoints import Endpoints
    from ._oidc_client import Client

# What a provider may say instead of a code (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6). Its other words,
# which anybody can write into an address, are not repeated.
ERRORS = (
    "invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "invalid_target",
    "server_error", "temporarily_unavailable", "interaction_required", "login_required", "account_selection_required",
    "consent_required", "invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported",
    "registration_not_supported",
)  # fmt: skip
LEEWAY = 30.0  # seconds
_LATER = ("server_error", "temporarily_unavailable")


class Flow(NamedTuple):
    """One attempt. What of it is secret stands in no repr."""

    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    nonce: str
    verifier: str
    more: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Flow of {self.client.id!r}>"

    def address(self) -> str:
        """Where the browser is sent. Raises: `Unavailable` if the provider's metadata cannot be had."""
        try:
            place = self.client.endpoints().url("authorization_endpoint")
        except Unfetched as error:
            raise Unavailable(f"the provider's metadata cannot be had: {error}") from None
        asked = {
            **self.more,
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.scopes),
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": base64url.encode(sha256(self.verifier.encode()).digest()).decode(),
            "code_challenge_method": "S256",
        }
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"

    def judged(self, answer: Mapping[str, str]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The tokens that the code in `answer` was exchanged for, and the claims of the ID token among them.

        Raises: `Failed`, `Unavailable`.
        """
        self._check_issuer(answer)
        error, code = answer.get("error"), answer.get("code")
        if error is not None:
            named = error if error in ERRORS else "refused"
            raise (Unavailable if named in _LATER else Failed)(f"the provider gives no code: {named}")
        if not code:
            raise Failed("the provider came back with neither a code nor an error")
        tokens = self._exchanged(code)
        return tokens, self._believed(tokens, code)

    def _check_issuer(self, answer: Mapping[str, str]) -> None:
        """RFC 9207 section 2.4: of whom the answer says that it is, and that it says so where the provider promises it."""
        provider = self.client.provider
        promised = self.client.endpoints().metadata().get("authorization_response_iss_parameter_supported") is True
        said = answer.get("iss")
        if (said is None and promised) or (said is not None and said not in provider.issuers):
            raise Failed("the answer is of another provider (iss)")

    def _exchanged(self, code: str) -> Mapping[str, Any]:
        from ..oidc import GrantRefused

        fields = {"code": code, "redirect_uri": self.redirect_uri, "code_verifier": self.verifier}
        try:
            return self.client.token_endpoint().post("authorization_code", **fields)
        except GrantRefused as error:
            raise Failed(str(error)) from None

    def _believed(self, tokens: Mapping[str, Any], code: str) -> Mapping[str, Any]:
        from ..oidc.id_token import Expected, SignedForUs

        provider, now = self.client.provider, time.time()
        signed = SignedForUs(provider.keys, provider.issuers, self.client.id, LEEWAY)
        expected = Expected(self.nonce, access_token=tokens["access_token"], code=code, state=self.state)
        try:
            claims, key = run(signed.read(tokens.get("id_token"), now))
            expected.check(claims, key, now, LEEWAY)
            self._rules().subject(claims)
        except InvalidToken as error:
            raise Failed(f"the ID token is refused ({error.reason})") from None
        return claims

    def _rules(self) -> LoginRules:
        provider = self.client.provider
        return LoginRules(getattr(provider, "login_profile", None), provider.profile)

    def identity(self, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> Identity:
        """Who the ID token says that it was, with what its userinfo endpoint adds. Raises: `Failed` if that is of another."""
        provider, subject = self.client.provider, self._rules().subject(claims)  # type: ignore[arg-type]  # as they were read
        issuer = (provider._spelled or {}).get(claims["iss"], claims["iss"])
        profile = getattr(provider, "login_profile", None) or provider.profile
        found: Identity = identity_of(claims, issuer, subject, profile)
        if found.name is not None and found.unverified_email is not None:
            return found
        said = _userinfo(self.client.endpoints(), tokens["access_token"])
        if said is None:
            return found
        if said.get("sub") != claims["sub"]:  # "MUST": Core section 5.3.2
            raise Failed("the userinfo endpoint speaks of another subject than the ID token")
        more = identity_of(said, issuer, subject, profile)
        about = found if found.unverified_email is not None else more  # an address and its mark are of one document
        return Identity(
            found.issuer,
            found.subject,
            email=about.email,
            unverified_email=about.unverified_email,
            name=found.name or more.name,
        )


def begun(client: Client, redirect_uri: str, scopes: tuple[str, ...], more: tuple[str, ...] = ()) -> Flow:
    """A new attempt, with a state, a nonce and a verifier of its own. `more`: parameters, as NAME=TEXT.

    Raises: `Wrong`, and `ConfigurationError` for one that is ours to say.
    """
    from ..oidc._login_settings import request

    pairs = {name: text for name, _, text in (one.partition("=") for one in more)}
    if not all(pairs.values()) or len(pairs) < len(more):
        raise Wrong("--parameter is NAME=TEXT, each name once")
    prompt, hint = pairs.pop("prompt", None), pairs.pop("login_hint", None)
    asked = request(prompt, None, (), hint, pairs)
    state, nonce, verifier = (base64url.encode(os.urandom(32)).decode() for _ in range(3))
    return Flow(client, redirect_uri, tuple(dict.fromkeys(("openid", *scopes))), state, nonce, verifier, asked)


def _userinfo(endpoints: Endpoints, token: str) -> Mapping[str, Any] | None:
    """What the provider's userinfo endpoint says, if it has one that answers in JSON: it adds a name, and decides nothing."""
    try:
        place = endpoints.url("userinfo_endpoint")
        headers = {"accept": "application/json", "authorization": f"Bearer {token}"}
        answer = fetch(place, max_bytes=262_144, seconds=5, headers=headers)
        return parse_object(answer.content) if answer.status == 200 else None
    except (Unfetched, ConfigurationError, ValueError):
        return None
