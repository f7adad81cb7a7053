"""`TokenExchange`: a token for one API, exchanged for one for the next (RFC 8693), and Entra's way of the same."""

from __future__ import annotations

import os
import time

from .._run import arun, blocking, run
from ..errors import AuthkitError, ConfigurationError, Unavailable
from ..secrets.versions import Masked
from ..tokens.verify import MAX_TOKEN
from ._grant import asked_for, endpoint_of, extra_fields
from ._machine_token import lifetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from .discovery import Discovery
    from .provider import OIDCProvider

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"  # section 2.1
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 section 2.1
_TYPE = "urn:ietf:params:oauth:token-type:"  # section 3
_TYPES = ("access_token", "refresh_token", "id_token", "saml1", "saml2", "jwt")


class ExchangedToken(Masked):
    """What was given for a token. `access_token`; `issued_token_type`: a URI; `token_type`: "Bearer", or "N_A" for what is no
    access token; `expires_at`: epoch seconds, None if the server says nothing; `scopes`: those that it has, as far as said."""

    __slots__ = ("access_token", "issued_token_type", "token_type", "expires_at", "scopes")

    def __init__(
        self, access_token: str, issued_token_type: str, token_type: str, expires_at: float | None, scopes: frozenset[str]
    ) -> None:
        self.access_token = access_token
        self.issued_token_type = issued_token_type
        self.token_type = token_type
        self.expires_at = expires_at
        self.scopes = scopes


class TokenExchange:
    """A service that calls the next one on behalf of who has called it.

    `provider`, `client_id`, `client_secret`, `key`, `method`, `origins`, `timeout`: of `TokenEndpoint`. `audience`, `resource`
    (one or several), `scopes`: for which API a token is asked for, where a call says nothing else; `fields`: what else the
    server wants. Nothing is remembered: each call asks the server. Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        provider: OIDCProvider | Discovery | str,
        client_id: str,
        client_secret: Any = None,
        *,
        key: Any = None,
        method: str | None = None,
        audience: str | None = None,
        resource: str | Iterable[str] | None = None,
        scopes: Iterable[str] = (),
        fields: dict[str, str] | None = None,
        origins: Iterable[str] = (),
        timeout: float = 5,
        transport: Any = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        made, wrong = endpoint_of(
            provider, client_id, client_secret, key=key, method=method, origins=origins, timeout=timeout, transport=transport,
            clock=clock, random=random,
        )  # fmt: skip
        del client_secret, key  # what is raised below may be shown with its locals
        if made is None:
            raise ConfigurationError(f"{type(self).__name__}: {wrong}")
        self._endpoint = made
        self._form = asked_for(audience, resource, scopes) | extra_fields(fields)
        self._clock = clock

    def exchange(self, subject_token: str, subject_token_type: str = "access_token", **asked: Any) -> ExchangedToken:
        """What the server gives for `subject_token`, the token of who has called us. It blocks.

        The types are URIs, or the short names of section 3: "access_token", "id_token", "jwt". `actor_token`,
        `actor_token_type`: of who acts, if the server wants to know; `audience`, `resource`, `scopes`: for this call alone;
        `requested_token_type`. Verify the subject token first: nothing of it is checked here.

        Raises: `GrantRefused` with the server's word; `Unavailable`; `ConfigurationError`.
        """
        going = self._exchanging(subject_token, subject_token_type, asked)
        del subject_token, asked  # what is raised below may be shown with its locals
        return _told(run(going))

    async def aexchange(self, subject_token: str, subject_token_type: str = "access_token", **asked: Any) -> ExchangedToken:
        """`exchange` on an event loop, which it does not block."""
        going = self._exchanging(subject_token, subject_token_type, asked)
        del subject_token, asked
        return _told(await arun(going))

    async def _exchanging(self, token: str, kind: str, asked: dict[str, Any]) -> ExchangedToken | AuthkitError | TypeError:
        """What is given, or what is to be raised. It raises nothing: its frame holds tokens."""
        try:
            grant, form = self._grant(token, kind, asked)
            at = self._clock()
            said = await blocking(lambda: self._endpoint.post(grant, **self._form | form))
            return self._given(said, at)
        except (AuthkitError, TypeError) as error:
            return error.with_traceback(None)

    def _grant(self, token: str, kind: str, asked: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The grant type, and the form of one exchange."""
        form: dict[str, Any] = {"subject_token": _token("subject_token", token), "subject_token_type": _uri(kind)}
        actor, of = asked.pop("actor_token", None), asked.pop("actor_token_type", "access_token")
        if actor is not None:
            form |= {"actor_token": _token("actor_token", actor), "actor_token_type": _uri(of)}
        wanted = asked.pop("requested_token_type", None)
        if wanted is not None:
            form["requested_token_type"] = _uri(wanted)
        return GRANT, form | _asked(asked)

    def _given(self, said: Mapping[str, Any], at: float) -> ExchangedToken:
        token, issued, kind = said.get("access_token"), said.get("issued_token_type"), said.get("token_type")
        if type(issued) is not str or not issued or type(kind) is not str or not kind:  # both required: section 2.2.1
            raise Unavailable(f"the token endpoint of {self._endpoint.issuer} does not say what it gave")
        if type(token) is not str or not token or len(token) > 4 * MAX_TOKEN:
            raise Unavailable(f"the token endpoint of {self._endpoint.issuer} gave no token that is one")
        expires = None if said.get("expires_in") is None else at + lifetime(said["expires_in"])
        scope = said.get("scope")
        return ExchangedToken(token, issued, kind, expires, frozenset(scope.split() if type(scope) is str else ()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._endpoint.client_id!r} at {self._endpoint.issuer!r}>"


class OnBehalfOf(TokenExchange):
    """The same where the server takes an access token as a JWT assertion instead, which Microsoft Entra ID calls on behalf of.

    Settings: those of `TokenExchange`; `scopes` says for which API: "api://orders/.default".
    """

    def _grant(self, token: str, kind: str, asked: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        form = {"assertion": _token("subject_token", token), "requested_token_use": "on_behalf_of"}
        return JWT_BEARER, form | _asked(asked)

    def _given(self, said: Mapping[str, Any], at: float) -> ExchangedToken:
        return super()._given({"issued_token_type": _TYPE + "access_token", **said}, at)


def _told(found: ExchangedToken | AuthkitError | TypeError) -> ExchangedToken:
    if isinstance(found, ExchangedToken):
        return found
    raise found


def _asked(asked: dict[str, Any]) -> dict[str, Any]:
    form = asked_for(asked.pop("audience", None), asked.pop("resource", None), asked.pop("scopes", ()))
    if asked:
        raise TypeError(f"exchange takes no {min(asked)}")
    return form


def _token(name: str, token: object) -> str:
    if type(token) is str and 0 < len(token) <= 4 * MAX_TOKEN:
        return token
    raise ConfigurationError(f"{name} is a token: text, and not empty")


def _uri(kind: object) -> str:
    if kind in _TYPES:
        return f"{_TYPE}{kind}"
    if type(kind) is not str or ":" not in kind or not kind.isascii() or not kind.isprintable():
        raise ConfigurationError(f"a token's type is a URI, or one of {', '.join(_TYPES)}")
    return kind
