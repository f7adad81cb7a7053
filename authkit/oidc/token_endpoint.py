"""`TokenEndpoint`: where a client shows who it is and gets tokens for a grant (RFC 6749 sections 2.3 and 5)."""

from __future__ import annotations

import os
import time

from .._fetch import Unfetched, checked_url, fetch
from ..decision import FrozenDict
from ..errors import AuthkitError, ConfigurationError, Unavailable
from ..tokens.strict_json import parse_object
from ._client import NONE, client_of
from ._endpoints import Endpoints
from ._endpoints import checked_origins as checked_origins
from ._held import seconds_of, whole_seconds
from ._own import discovery_of
from .asking_json import PATIENCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from .._fetch import Answer
    from ._client import Client
    from .discovery import Discovery
    from .dpop_key import DPoPKey
    from .provider import OIDCProvider

MAX_BYTES = 262_144  # of an answer: a few tokens
_ENDPOINT, _REVOCATION = "token_endpoint", "revocation_endpoint"
# What a refusal may say (RFC 6749 section 5.2, RFC 8628 section 3.5, RFC 8693 section 2.2.2, RFC 8707 section 2; of a person,
# OpenID Connect Core section 3.1.2.6). Other words of a server are not repeated.
_ERRORS = frozenset(
    (
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "access_denied",
        "authorization_pending",
        "slow_down",
        "expired_token",
        "interaction_required",
        "login_required",
        "consent_required",
        "use_dpop_nonce",
        "invalid_dpop_proof",
        "temporarily_unavailable",
        "server_error",
    )
)
_LATER = ("temporarily_unavailable", "server_error")
_BAD_CODE = "bad_verification_code"  # GitHub's word for invalid_grant, with a 200


class GrantRefused(AuthkitError):
    """The server gives no token for this grant. `error`: its word for why, of those that are registered; else "refused"."""

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__(f"the token endpoint refused the grant: {error}")


class TokenResponse(FrozenDict):
    """What the server gave: `access_token`, and whatever else (RFC 6749 section 5.1). Its repr shows names and no values."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<TokenResponse {', '.join(sorted(self))}>"

    __str__ = __repr__


class TokenEndpoint:
    """One client at the token endpoint of `provider`: an `OIDCProvider` or its `Discovery`, whose metadata name it, or its URL.

    `client_secret` or `key` (private_key_jwt: a private `Key`, PEM or JWK) shows who asks: text or a `Secret`, whose newest
    value is used; neither: a public client, whose grants show it (PKCE). `method`: client_secret_basic or client_secret_post,
    by default what the metadata say. `origins`: further origins at which the issuer's endpoints may be: what is secret goes to
    the issuer's own, to these, and to no other. `issuer`: for whom assertions are, by default the provider's, or the URL.
    `dpop`: a `DPoPKey` that tokens are bound to; the server's nonce is followed.

    It blocks, for at most `timeout` seconds each time that the server is asked: once more for a nonce of the server's, and once
    more if our secret has been rotated. Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        provider: OIDCProvider | Discovery | Endpoints | str,
        client_id: str,
        client_secret: Any = None,
        *,
        key: Any = None,
        method: str | None = None,
        issuer: str | None = None,
        origins: Iterable[str] = (),
        dpop: DPoPKey | None = None,
        timeout: float = 5,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.issuer = issuer
        wrong, client = _client(client_id, client_secret, key, method, clock, random)
        del client_secret, key  # what is raised below may be shown with its locals
        if wrong is not None or client is None:
            raise ConfigurationError(f"token endpoint: {wrong}")
        self._client = client
        self._url = checked_url("token_endpoint", provider) if isinstance(provider, str) else None
        named = (*checked_origins(origins), *getattr(provider, "endpoint_origins", ()))
        found = provider if isinstance(provider, (Endpoints, str)) else Endpoints(discovery_of(provider), {}, named)
        self._endpoints = None if isinstance(found, str) else found
        self.issuer = issuer or (found if isinstance(found, str) else found.issuer)
        self._dpop = dpop
        self._nonce: str | None = None
        self._timeout = seconds_of("timeout", timeout, 0.05, 30)
        self._transport = transport

    @property
    def client_id(self) -> str:
        return self._client.id

    def post(self, grant: str, **fields: str | Iterable[str] | None) -> TokenResponse:
        """The tokens for `grant` (its `grant_type`) with these fields; one that is None is left out, a list is repeated.

        Raises: `GrantRefused` if the server refuses the grant; `Unavailable` if it does not answer, or not us;
        `ConfigurationError`.
        """
        failure, refusal = "", AuthkitError()
        try:
            said = self._posted({"grant_type": grant, **{name: value for name, value in fields.items() if value is not None}})
            if isinstance(said, TokenResponse):
                return said
            refusal = said
        except Unfetched as error:
            failure = str(error)
        except AuthkitError as error:  # its frames hold the grant, and our secret
            refusal = error.with_traceback(None)
        except UnicodeError:
            refusal = ConfigurationError("what is to be sent to a token endpoint holds half a character")
        finally:
            del fields  # what is raised below may be shown with its locals
        if failure:
            refusal = Unavailable(f"the token endpoint of {self.issuer} cannot be asked: {failure}")
        raise refusal

    def revoke(self, token: str, hint: str = "refresh_token") -> bool:
        """Have the server forget `token` (RFC 7009), where it says that it can. Whether it said that it has; it blocks, and
        raises nothing: who asks has no use for the token any more, whatever comes of it."""
        endpoints = self._endpoints
        try:
            if endpoints is None or not endpoints.names(_REVOCATION):
                return False
            url, taken = endpoints.url(_REVOCATION), self._where()[1]
            answer, _ = self._asked(url, taken, {"token": token, "token_type_hint": hint})
            return answer.status == 200
        except (AuthkitError, Unfetched):
            return False

    def _posted(self, form: Mapping[str, Any]) -> TokenResponse | AuthkitError:
        """The answer, or what it comes to. It raises nothing of the server's: its frame holds the grant."""
        url, taken = self._where()
        answer, seen = self._asked(url, taken, form)
        said = _read(answer)
        if said.get("error") == "use_dpop_nonce" and self._dpop is not None and "dpop-nonce" in answer.headers:
            self._note_nonce(answer)  # RFC 9449 section 8
            answer, seen = self._asked(url, taken, form)
            said = _read(answer)
        if _not_us(answer, said) and self._client.recheck(seen):  # our secret has been rotated since it was read
            answer, seen = self._asked(url, taken, form)
            said = _read(answer)
        self._note_nonce(answer)
        if _not_us(answer, said):
            return Unavailable("the token endpoint does not know us: what we authenticate with is wrong", retry_after=30)
        if answer.status == 429 or answer.status >= 500 or said.get("error") in _LATER:
            return Unavailable(f"the token endpoint answered {answer.status}", retry_after=_rest(answer.headers))
        error = said.get("error")
        if error is not None:
            error = "invalid_grant" if error == _BAD_CODE else error
            return GrantRefused(error if type(error) is str and error in _ERRORS else "refused")
        if answer.status != 200:
            raise Unfetched(f"it answered {answer.status}")
        token = said.get("access_token")
        if type(token) is not str or not token or type(said.get("token_type", "Bearer")) is not str:
            raise Unfetched("its answer has no access_token")
        return TokenResponse(said)

    def _where(self) -> tuple[str, Iterable[str]]:
        endpoints = self._endpoints
        if endpoints is None:
            return self._url, ()  # type: ignore[return-value]  # one of the two is there
        url = endpoints.url(_ENDPOINT)
        taken = endpoints.metadata().get("token_endpoint_auth_methods_supported")
        return url, [name for name in taken if type(name) is str] if isinstance(taken, list) else ()

    def _asked(self, url: str, taken: Iterable[str], given: Mapping[str, Any]) -> tuple[Answer, Any]:
        from urllib.parse import urlencode

        form = dict(given)
        headers = {"accept": "application/json"}
        seen = self._client.authenticate(form, headers, self.issuer or url, taken)
        if self._dpop is not None:
            headers["dpop"] = self._dpop.proof("POST", url, nonce=self._nonce)
        answer = fetch(
            url,
            max_bytes=MAX_BYTES,
            seconds=self._timeout,
            headers=headers,
            form=urlencode(form, doseq=True).encode(),
            transport=self._transport,
        )
        return answer, seen

    def _note_nonce(self, answer: Answer) -> None:
        nonce = answer.headers.get("dpop-nonce", "")
        if self._dpop is not None and 0 < len(nonce) <= 1024 and nonce.isascii() and nonce.isprintable():
            self._nonce = nonce

    def __repr__(self) -> str:
        return f"<TokenEndpoint of {self.issuer!r}>"


def _client(
    client_id: str,
    secret: Any,
    key: Any,
    method: str | None,
    clock: Callable[[], float],
    random: Callable[[int], bytes],
) -> tuple[str | None, Client | None]:
    """The client, or what is wrong with it. It raises nothing: its frame holds secrets."""
    if secret is None and key is None and method is None:
        method = NONE
    if key is not None and method == "private_key_jwt":
        method = None
    return client_of(client_id, secret=secret, key=key, method=method, clock=clock, random=random)


def _read(answer: Answer) -> FrozenDict:
    """What it says, if it is JSON; a 200 has to be."""
    try:
        return parse_object(answer.content)
    except ValueError:
        pass
    if answer.status == 200:
        raise Unfetched("its answer is not JSON with one reading")
    return FrozenDict()


def _not_us(answer: Answer, said: Mapping[str, Any]) -> bool:
    """RFC 6749 section 5.2: 401 where the client is not known, or a 400 that says so. Auth0's 401 says access_denied."""
    error = said.get("error")
    return error in ("invalid_client", "incorrect_client_credentials") or (
        answer.status == 401 and (error not in _ERRORS or error == "access_denied")
    )


def _rest(headers: Mapping[str, str]) -> int:
    return min(PATIENCE, max(1, whole_seconds(headers.get("retry-after")) or 1))
