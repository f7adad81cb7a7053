"""`Introspection`: opaque tokens, which their authorization server is asked about (RFC 7662)."""

from __future__ import annotations

from .._fetch import Unfetched, checked_url, fetch
from .._run import blocking
from ..errors import ConfigurationError, InvalidToken, Unavailable
from ..tokens.claims import names_of
from ..tokens.strict_json import parse_object
from ._client import BASIC, client_of
from ._held import whole_seconds
from ._own import discovery_of, own_endpoint
from .asking import Asking
from .asking_json import PATIENCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from .._fetch import Answer
    from ..decision import FrozenDict
    from .discovery import Discovery
    from .provider import OIDCProvider

MAX_BYTES = 65_536  # of an answer
_ENDPOINT = "introspection_endpoint"
_NOT_ITS_OWN = (
    "unsupported_token_type",
    "invalid_token",
)  # the `error` for what it never answers for: a JWT, say
_ACCESS = ("access_token", "access", "bearer", "at")  # what `token_use` and `typ` may say, where a server has them


class Introspection(Asking):
    """Verifies opaque access tokens for `audience` (one, or several of which one is enough); for `require_auth`.

    `endpoint`: the URL that is asked; or the `OIDCProvider` (or `Discovery`) whose metadata names it, at the issuer's own
    origin. One of `client_secret`, `key` (private_key_jwt) and `bearer` shows the server who asks: text or a `Secret`; `key`:
    also a `Key`. `send`: client_secret_basic or client_secret_post. `issuer`: whose tokens these are, by default the
    provider's; an answer with another `iss` is refused.

    Servers that name no `aud` for opaque tokens: `clients` are those whose tokens are accepted, by `client_id`.
    `insecure_any_audience=True` accepts a token for whatever API it was issued. `insecure_any_kind=True` accepts an answer
    without `token_type`: where the server answers for refresh tokens too, one of these then passes for an access token.

    Beside a provider, `require_auth(provider, Introspection(...))`, tokens whose issuer can be read are verified here, and only
    the others are asked about. Everything else as `Asking` says. Raises: `ConfigurationError`.
    """

    def __init__(
        self,
        endpoint: str | OIDCProvider | Discovery,
        client_id: str | None = None,
        client_secret: Any = None,
        *,
        audience: str | Iterable[str] | None = None,
        clients: Iterable[str] | None = None,
        issuer: str | None = None,
        key: Any = None,
        bearer: Any = None,
        send: str = BASIC,
        transport: Any = None,
        insecure_any_audience: bool = False,
        insecure_any_kind: bool = False,
        **settings: Any,
    ) -> None:
        shown: dict[str, Any] = {name: settings[name] for name in ("clock", "random") if name in settings}
        wrong, client = client_of(client_id, secret=client_secret, key=key, bearer=bearer, method=send, **shown)
        del client_secret, key, bearer  # what is raised below may be shown with its locals
        if wrong is not None or client is None:
            raise ConfigurationError(f"introspection: {wrong}")
        self._client = client
        self._url = checked_url("endpoint", endpoint) if isinstance(endpoint, str) else None
        self._discovery = None if isinstance(endpoint, str) else discovery_of(endpoint)
        self._origins: tuple[str, ...] = getattr(endpoint, "endpoint_origins", ())
        issuer = issuer or (self._discovery.issuer if self._discovery is not None else None)
        self._audiences = _names("audience", audience)
        self._clients = _names("clients", clients)
        if not (self._audiences or self._clients or insecure_any_audience is True):
            raise ConfigurationError(
                "introspection: audience says for which API a token has to be; where the server names none, clients"
            )
        self._any_kind = insecure_any_kind is True
        self._transport = transport
        place = (
            self._url.partition("?")[0] if self._url is not None else f"the {_ENDPOINT} of {issuer}"
        )  # a query may be secret
        settings.setdefault("name", place)
        super().__init__(principal_issuer=issuer, **settings)

    def ask(self, token: str) -> Mapping[str, Any] | None:
        url = self._where()
        answer, seen, said = self._asked_at(url, token)
        status = answer.status
        unknown = status == 401 or (status == 400 and said is not None and said.get("error") == "invalid_client")
        if unknown and self._client.recheck(seen):  # our own secret has been rotated since it was read
            answer, seen, said = self._asked_at(url, token)
            status = answer.status
        if status == 400 and said is not None and said.get("error") in _NOT_ITS_OWN:
            raise InvalidToken("token_unsupported")
        if status in (400, 401, 403):
            raise Unavailable(f"it answered {status}: what we authenticate with is wrong, or may not ask", retry_after=30)
        if status != 200 or said is None:
            wait = whole_seconds(answer.headers.get("retry-after")) or 1
            raise Unavailable(f"it answered {status}", retry_after=min(PATIENCE, wait))
        if said.get("active") is False:
            return None
        if said.get("active") is not True:
            raise Unavailable("its answer has no active that is true or false")
        self._check(said)
        return said

    async def warm(self) -> None:
        """Find the endpoint before the first request; `chain.prepare` does so. Raises: `Unavailable`, `ConfigurationError`."""
        await blocking(self._found)

    def _found(self) -> str:
        failure = ""
        try:
            return self._where()
        except Unfetched as error:
            failure = str(error)
        raise Unavailable(f"{self._name} cannot be found: {failure}")

    def _where(self) -> str:
        discovery = self._discovery
        if discovery is None:
            return self._url  # type: ignore[return-value]  # one of the two is there
        return own_endpoint(discovery, _ENDPOINT, self._origins)

    def _asked_at(self, url: str, token: str) -> tuple[Answer, Any, FrozenDict | None]:
        from urllib.parse import urlencode

        form = {"token": token, "token_type_hint": "access_token"}
        headers = {"accept": "application/json"}
        seen = self._client.authenticate(form, headers, self.principal_issuer or url)
        answer = fetch(
            url,
            max_bytes=MAX_BYTES,
            seconds=self._timeout,
            headers=headers,
            form=urlencode(form).encode(),
            quiet="?" in url,
            transport=self._transport,
        )
        try:
            return answer, seen, parse_object(answer.content)
        except ValueError:
            pass
        if answer.status == 200:
            raise Unfetched("its answer is not JSON with one reading")
        return answer, seen, None

    def _check(self, said: FrozenDict) -> None:
        """Whether the token is for us, and an access token. Raises: `InvalidToken`."""
        if self.principal_issuer is not None and said.get("iss", self.principal_issuer) != self.principal_issuer:
            raise InvalidToken("token_issuer")
        if self._audiences:
            aud = said.get("aud")
            listed = {aud} if type(aud) is str else names_of(aud)
            if listed is None or self._audiences.isdisjoint(listed):
                raise InvalidToken("token_audience")
        if self._clients:
            client = said.get("client_id")
            if type(client) is not str or client not in self._clients:
                raise InvalidToken("token_audience")
        kind = said.get("token_type", "Bearer" if self._any_kind else None)
        if type(kind) is not str or kind.lower() not in ("bearer", "dpop", "access_token"):
            raise InvalidToken("token_type")
        if kind.lower() == "dpop" and "cnf" not in said:  # bound to a key that nobody knows
            raise InvalidToken("token_bound")
        for name in ("token_use", "typ"):
            use = said.get(name, "access_token")
            if type(use) is not str or use.lower() not in (*_ACCESS, "dpop", "at+jwt", "jwt"):
                raise InvalidToken("token_type")


def _names(setting: str, given: str | Iterable[str] | None) -> frozenset[str]:
    names = frozenset((given,) if isinstance(given, str) else given or ())
    if given is not None and (not names or not all(type(name) is str and name for name in names)):
        raise ConfigurationError(f"introspection: {setting} is text, and not empty; or several of them")
    return names
